//! How messages that are made together are shared out among devices.

use crate::ids::DeviceId;

/// So many messages for each device, dealt out in turns as long as a device has some left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread(pub Vec<(DeviceId, u64)>);

impl Spread {
    /// Shares out up to `rows` messages among devices with room for so many each. `turn` is the ordinal of the first
    /// message: whoever deals one at a time still goes around.
    pub fn over(rooms: &[(DeviceId, u64)], rows: u64, turn: u64) -> Self {
        let mut open: Vec<(DeviceId, u64)> = rooms.iter().copied().filter(|(_, room)| *room > 0).collect();
        if open.is_empty() {
            return Self::default();
        }
        let start = usize::try_from(turn % open.len() as u64).unwrap_or(0);
        open.rotate_left(start);
        let mut shares: Vec<(DeviceId, u64)> = open.iter().map(|(device, _)| (*device, 0)).collect();
        let mut left = rows.min(open.iter().map(|(_, room)| room).sum());
        while left > 0 {
            for (share, (_, room)) in shares.iter_mut().zip(&open) {
                if left > 0 && share.1 < *room {
                    share.1 += 1;
                    left -= 1;
                }
            }
        }
        shares.retain(|(_, share)| *share > 0);
        Self(shares)
    }

    /// How many there are in all.
    pub fn rows(&self) -> u64 {
        self.0.iter().map(|(_, share)| share).sum()
    }

    /// The device of each message, in order.
    pub fn devices(&self) -> Vec<DeviceId> {
        let rounds = self.0.iter().map(|(_, share)| *share).max().unwrap_or(0);
        let round = |number| self.0.iter().filter(move |(_, share)| number < *share).map(|(device, _)| *device);
        (0..rounds).flat_map(round).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dealt(rooms: &[u64], rows: u64, turn: u64) -> Vec<u64> {
        let rooms: Vec<_> = (1..).map(DeviceId).zip(rooms.iter().copied()).collect();
        Spread::over(&rooms, rows, turn).devices().into_iter().map(|device| device.0).collect()
    }

    #[test]
    fn messages_are_dealt_out_in_turns() {
        assert_eq!(dealt(&[5, 5], 4, 0), [1, 2, 1, 2]);
        assert_eq!(dealt(&[5, 5], 3, 1), [2, 1, 2]);
        assert_eq!(dealt(&[1, 5], 9, 0), [1, 2, 2, 2, 2, 2]);
        assert_eq!(dealt(&[0, 2, 0], 9, 2), [2, 2]);
        assert_eq!(dealt(&[0, 0], 9, 0), [0; 0]);
        assert_eq!(dealt(&[], 9, 0), [0; 0]);
    }

    #[test]
    fn one_at_a_time_goes_around_all_the_same() {
        let taken: Vec<_> = (0..6).flat_map(|turn| dealt(&[1, 1, 1], 1, turn)).collect();
        assert_eq!(taken, [1, 2, 3, 1, 2, 3]);
    }

    proptest! {
        #[test]
        fn no_device_gets_more_than_it_has_room_for_and_none_is_left_out(
            rooms in prop::collection::vec(0_u64..20, 0..8), rows in 0_u64..100, turn in 0_u64..50,
        ) {
            let taken = dealt(&rooms, rows, turn);
            prop_assert_eq!(taken.len() as u64, rows.min(rooms.iter().sum()));
            let shares: Vec<u64> =
                (1..=rooms.len() as u64).map(|id| taken.iter().filter(|device| **device == id).count() as u64).collect();
            for (share, room) in shares.iter().zip(&rooms) {
                prop_assert!(share <= room);
                let most = shares.iter().max().copied().unwrap_or(0);
                prop_assert!(share + 1 >= most || share == room, "{shares:?} of {rooms:?}");
            }
        }
    }
}
