//! Making the two tables where they are missing, for one machine and for tests; in a cloud they are there already.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use hantar_usecases::ports::PortError;

use crate::errors::failure;
use crate::items::TTL;
use crate::places::Table;
use crate::reading::unbuilt;
use crate::store::Store;

/// How long a table may take to become active: 60 looks, a second apart.
const LOOKS: u32 = 60;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

impl Store {
    pub(crate) async fn make_tables(&self) -> Result<(), PortError> {
        for table in [Table::Business, Table::Engine] {
            self.make_table(table).await?;
            self.wait_until_active(table).await?;
            self.expire_items(table).await?;
        }
        Ok(())
    }

    async fn make_table(&self, table: Table) -> Result<(), PortError> {
        let mut call =
            self.client().create_table().table_name(self.table(table)).billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            let text = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
            call = call.attribute_definitions(text.build().map_err(unbuilt)?);
            call = call.key_schema(key.build().map_err(unbuilt)?);
        }
        if table == Table::Business {
            let stream = StreamSpecification::builder().stream_enabled(true);
            let stream = stream.stream_view_type(StreamViewType::NewAndOldImages).build().map_err(unbuilt)?;
            call = call.stream_specification(stream);
        }
        match call.send().await {
            Err(SdkError::ServiceError(error)) if error.err().is_resource_in_use_exception() => Ok(()),
            answer => Ok(answer.map(drop).map_err(failure)?),
        }
    }

    async fn wait_until_active(&self, table: Table) -> Result<(), PortError> {
        for _ in 0..LOOKS {
            let answer = self.client().describe_table().table_name(self.table(table)).send().await.map_err(failure)?;
            if answer.table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
                return Ok(());
            }
            self.wait(BETWEEN_LOOKS).await;
        }
        Err(PortError::Unavailable { what: "table", source: "it does not become active".into() })
    }

    async fn expire_items(&self, table: Table) -> Result<(), PortError> {
        let name = self.table(table);
        let known = self.client().describe_time_to_live().table_name(name).send().await.map_err(failure)?;
        let status = known.time_to_live_description.and_then(|description| description.time_to_live_status);
        if matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
            return Ok(());
        }
        let wanted = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build().map_err(unbuilt)?;
        match self.client().update_time_to_live().table_name(name).time_to_live_specification(wanted).send().await {
            // Another process was faster.
            Err(SdkError::ServiceError(error)) if error.err().meta().code() == Some("ValidationException") => Ok(()),
            answer => Ok(answer.map(drop).map_err(failure)?),
        }
    }
}
