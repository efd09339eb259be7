//! Reading JSON that breaks its own documentation: numbers in strings, wrong types, missing keys.
//!
//! A field that cannot be read must not cost its row, nor a row its page. Knows no carrier.
