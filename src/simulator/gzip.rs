//! A gzip bomb made by hand: white space folds into back-references of the greatest length, which no
//! compressor's settings decide and no dependency is needed for.

/// Bytes of one back-reference, the most that DEFLATE has (RFC 1951 §3.2.5).
const RUN: u64 = 258;

/// Writes DEFLATE's bits: least significant first, Huffman codes from their highest bit.
#[derive(Debug, Default)]
struct BitWriter {
    bytes: Vec<u8>,
    bits: u32,
    count: u32,
}

impl BitWriter {
    fn number(&mut self, value: u32, width: u32) {
        for place in 0..width {
            self.bit(value >> place & 1);
        }
    }

    fn code(&mut self, value: u32, width: u32) {
        for place in (0..width).rev() {
            self.bit(value >> place & 1);
        }
    }

    fn bit(&mut self, bit: u32) {
        self.bits |= bit << self.count;
        self.count += 1;
        if self.count == 8 {
            self.bytes.push(self.bits as u8);
            (self.bits, self.count) = (0, 0);
        }
    }

    /// A byte in the fixed code (RFC 1951 §3.2.6).
    fn literal(&mut self, byte: u8) {
        match u32::from(byte) {
            low @ 0..144 => self.code(0x30 + low, 8),
            high => self.code(0x190 + high - 144, 9),
        }
    }

    /// The byte before, [`RUN`] times more: length 285, distance 1.
    fn run(&mut self) {
        self.code(0xC5, 8);
        self.code(0, 5);
    }
}

/// `spaces` of white space followed by `text`, as one gzip member.
pub(super) fn padded(spaces: u64, text: &[u8]) -> Vec<u8> {
    let mut deflate = BitWriter::default();
    deflate.number(1, 1); // the last block
    deflate.number(1, 2); // in the fixed code
    let runs = spaces.saturating_sub(1) / RUN;
    for place in 0..spaces.saturating_sub(runs * RUN) {
        deflate.literal(b' ');
        if place == 0 {
            (0..runs).for_each(|_| deflate.run());
        }
    }
    text.iter().for_each(|byte| deflate.literal(*byte));
    deflate.code(0, 7); // the end of the block
    deflate.number(0, 7); // to the next byte
    let mut crc = Crc::new();
    (0..spaces).for_each(|_| crc.add(b' '));
    text.iter().for_each(|byte| crc.add(*byte));
    let mut member = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
    member.extend(deflate.bytes);
    member.extend(crc.value().to_le_bytes());
    member.extend(((spaces + text.len() as u64) as u32).to_le_bytes());
    member
}

/// CRC-32 of gzip (RFC 1952 §8).
struct Crc {
    table: [u32; 256],
    state: u32,
}

impl Crc {
    fn new() -> Self {
        let entry = |byte: u32| {
            (0..8).fold(byte, |value, _| match value & 1 {
                1 => 0xEDB8_8320 ^ (value >> 1),
                _ => value >> 1,
            })
        };
        let table = std::array::from_fn(|byte| entry(byte as u32));
        Self { table, state: !0 }
    }

    fn add(&mut self, byte: u8) {
        let place = (self.state ^ u32::from(byte)) & 0xFF;
        self.state = self.table[place as usize] ^ (self.state >> 8);
    }

    fn value(&self) -> u32 {
        !self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_keeps_the_standards_example() {
        let mut crc = Crc::new();
        b"123456789".iter().for_each(|byte| crc.add(*byte));
        assert_eq!(crc.value(), 0xCBF4_3926);
    }

    #[test]
    fn a_bomb_is_a_hundredth_of_what_it_unfolds_to() {
        let bomb = padded(1 << 20, b"{}");
        assert!(bomb.len() < (1 << 20) / 100, "{} bytes", bomb.len());
    }
}
