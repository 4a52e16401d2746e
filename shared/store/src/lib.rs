//! The DynamoDB tables: keys, items, transactions.
