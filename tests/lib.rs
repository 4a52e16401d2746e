//! Journeys, faults and benches over the whole product.
