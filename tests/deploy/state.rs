//! What must be true of everything that Terraform made, whatever module it is in.

use serde_json::Value;

/// Signing in to ECR knows no narrower resource.
const WITHOUT_RESOURCE: &[&str] = &["ecr:GetAuthorizationToken"];
/// What would put a secret's value into the state, or open a door.
const FORBIDDEN: [&str; 6] = [
    "aws_iam_access_key",
    "aws_secretsmanager_secret_version",
    "aws_security_group_rule",
    "aws_ssm_parameter",
    "aws_vpc_security_group_ingress_rule",
    "random_password",
];

/// Everything that breaks a rule, said in a sentence each.
pub(crate) fn faults(resources: &[Value]) -> Vec<String> {
    resources.iter().flat_map(faults_of).collect()
}

fn faults_of(resource: &Value) -> Vec<String> {
    let (kind, values) = (resource["type"].as_str().unwrap_or_default(), &resource["values"]);
    let mut found = Vec::new();
    let mut rule = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{}: {what}", resource["address"].as_str().unwrap_or(kind)));
        }
    };
    rule(!FORBIDDEN.contains(&kind), "must not be here");
    if let Some(tags) = values.get("tags_all") {
        let tagged = ["Product", "Installation", "ManagedBy"].iter().all(|name| tags[name].is_string());
        rule(tagged, "lacks the installation's tags");
    }
    match kind {
        "aws_security_group" | "aws_default_security_group" => {
            rule(values["ingress"].as_array().is_none_or(Vec::is_empty), "lets somebody in");
        }
        "aws_cloudwatch_log_group" => {
            rule(values["retention_in_days"].as_u64().is_some_and(|days| days > 0), "is kept for ever");
            rule(is_named(&values["kms_key_id"]), "is not encrypted with our key");
        }
        "aws_sns_topic" => rule(is_named(&values["kms_master_key_id"]), "is not encrypted with our key"),
        "aws_secretsmanager_secret" => rule(is_named(&values["kms_key_id"]), "is not encrypted with our key"),
        "aws_sqs_queue" => rule(values["sqs_managed_sse_enabled"] == true, "is not encrypted"),
        "aws_dynamodb_table" => {
            rule(is_named(&values["server_side_encryption"][0]["kms_key_arn"]), "is not encrypted with our key");
            rule(values["point_in_time_recovery"][0]["enabled"] == true, "cannot be recovered");
        }
        "aws_iam_policy" | "aws_iam_role_policy" | "aws_iam_user_policy" => {
            rule(is_narrow(values["policy"].as_str().unwrap_or_default()), "allows every action or every resource");
        }
        "aws_iam_role_policy_attachment" => rule(false, "brings what a foreign policy allows"),
        _ => {}
    }
    found
}

fn is_named(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// Whether each statement names its actions and its resources.
fn is_narrow(policy: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy["Statement"].as_array();
    statements.is_some_and(|statements| !statements.is_empty() && statements.iter().all(is_narrow_statement))
}

fn is_narrow_statement(statement: &Value) -> bool {
    let (actions, resources) = (texts(&statement["Action"]), texts(&statement["Resource"]));
    let alone = actions.iter().all(|action| WITHOUT_RESOURCE.contains(action));
    let all_named = resources.iter().all(|resource| resource.starts_with("arn:"));
    !actions.is_empty() && actions.iter().all(|action| !action.contains('*')) && (all_named || alone)
}

/// One text, or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

mod cases {
    use serde_json::json;

    use super::faults;

    #[test]
    fn what_breaks_a_rule_is_found() {
        let wide = json!({ "Statement": [{ "Effect": "Allow", "Action": "dynamodb:*", "Resource": "arn:aws:x" }] });
        let everywhere =
            json!({ "Statement": [{ "Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": "*" }] });
        let broken = [
            json!({ "type": "aws_iam_role_policy", "values": { "policy": wide.to_string() } }),
            json!({ "type": "aws_iam_role_policy", "values": { "policy": everywhere.to_string() } }),
            json!({ "type": "aws_iam_role_policy", "values": { "policy": "{}" } }),
            json!({ "type": "aws_security_group", "values": { "ingress": [{ "from_port": 22 }] } }),
            json!({ "type": "aws_vpc_security_group_ingress_rule", "values": {} }),
            json!({ "type": "aws_iam_access_key", "values": {} }),
            json!({ "type": "aws_cloudwatch_log_group", "values": { "retention_in_days": 0, "kms_key_id": "k" } }),
            json!({ "type": "aws_sqs_queue", "values": { "sqs_managed_sse_enabled": false } }),
            json!({ "type": "aws_sns_topic", "values": { "kms_master_key_id": "k", "tags_all": {} } }),
        ];
        for resource in broken {
            assert_eq!(faults(std::slice::from_ref(&resource)).len(), 1, "{resource}");
        }
    }

    #[test]
    fn what_keeps_them_is_left_alone() {
        let token = json!({ "Statement": [{ "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"] }] });
        let whole = [
            json!({ "type": "aws_iam_role_policy", "values": { "policy": token.to_string() } }),
            json!({ "type": "aws_security_group", "values": { "ingress": [] } }),
            json!({ "type": "aws_sqs_queue", "values": { "sqs_managed_sse_enabled": true } }),
        ];
        assert_eq!(faults(&whole), Vec::<String>::new());
    }
}
