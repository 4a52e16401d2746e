//! The system's generator: the only source of ids and secrets outside the tests.
#![expect(clippy::disallowed_methods, reason = "this is where randomness comes from")]

use hantar_usecases::ports::Entropy;

/// The operating system's generator, or a Worker's `crypto.getRandomValues`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// Comes back only with random bytes. A generator that fails is asked again and again: bytes that can be guessed
    /// would give away every secret made of them, so waiting is the lesser evil. On the systems that we run on it
    /// fails only where the sandbox forbids the call, which the log then says.
    fn fill(&self, bytes: &mut [u8]) {
        fill_with(getrandom::fill, pause, bytes);
    }
}

/// Asks `source` until it has filled `bytes`, with a `pause` after each failure.
fn fill_with(
    mut source: impl FnMut(&mut [u8]) -> Result<(), getrandom::Error>,
    mut pause: impl FnMut(),
    bytes: &mut [u8],
) {
    let mut said = false;
    while let Err(error) = source(bytes) {
        if !said {
            tracing::error!(%error, "the system gives no random bytes; waiting for it");
            said = true;
        }
        pause();
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(10));
}

/// A Worker cannot block; its limit on processor time ends the request.
#[cfg(target_arch = "wasm32")]
fn pause() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fillings_differ() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        SystemEntropy.fill(&mut one);
        SystemEntropy.fill(&mut other);
        assert_ne!(one, other);
        assert_ne!(one, [0; 32]);
    }

    #[test]
    fn a_failing_source_is_asked_until_it_answers() {
        let (mut failures, mut pauses) = (3, 0);
        let source = |bytes: &mut [u8]| {
            if failures > 0 {
                failures -= 1;
                return Err(getrandom::Error::UNSUPPORTED);
            }
            bytes.fill(7);
            Ok(())
        };
        let mut bytes = [0; 4];
        fill_with(source, || pauses += 1, &mut bytes);
        assert_eq!((bytes, pauses), ([7; 4], 3));
    }
}
