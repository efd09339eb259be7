//! What a sync does and says when something goes wrong.
