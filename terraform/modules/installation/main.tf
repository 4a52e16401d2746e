# One installation: all modules, put together once for every environment.

locals {
  emulated = var.endpoint != ""

  # What every process is told (README: the variables).
  environment = merge(
    {
      HANTAR_BUSINESS_TABLE = module.business.name
      HANTAR_ENGINE_TABLE   = module.engine.name
      HANTAR_QUEUE_PREFIX   = module.queues.prefix
      HANTAR_SHARDS         = tostring(var.shards)
      HANTAR_KMS_KEY        = module.secrets.accounts_key_arn
      HANTAR_LOG            = var.log_filter
    },
    var.billing == "credits" ? {} : { HANTAR_BILLING = var.billing },
    local.emulated ? { HANTAR_AWS_ENDPOINT_URL = var.endpoint } : {},
    var.campaign_gap == null ? {} : { HANTAR_CAMPAIGN_GAP = tostring(var.campaign_gap) },
  )

  blobs = { HANTAR_BUCKET = module.storage.bucket }

  egress = var.egress_allow == "" ? {} : { HANTAR_EGRESS_ALLOW = var.egress_allow }

  stripe = var.stripe == null ? {} : {
    HANTAR_PRICES                = var.stripe.prices
    HANTAR_STRIPE_KEY            = var.stripe.sealed_key
    HANTAR_STRIPE_SIGNING_SECRET = var.stripe.sealed_signing_secret
  }
  mail = var.mail == null ? {} : { HANTAR_MAIL = "ses", HANTAR_MAIL_FROM = var.mail.from }

  # Behind CloudFront the gateway sees CloudFront's addresses, which many callers share. Guesses are counted by what is guessed
  # at alone then.
  address = var.cloudfront == null ? {} : { HANTAR_CLIENT_ADDRESS_HEADER = "none" }

  limits = merge(
    var.rate_limits.reads == null ? {} : { HANTAR_READS_PER_MINUTE = tostring(var.rate_limits.reads) },
    var.rate_limits.writes == null ? {} : { HANTAR_WRITES_PER_MINUTE = tostring(var.rate_limits.writes) },
  )
}

module "secrets" {
  source = "../secrets"

  name       = var.name
  disposable = var.disposable
  entries = merge(
    var.traces ? { "otlp-url" = "OTLP/HTTP address of traces, with its token" } : {},
    var.worker ? { "worker-access-key" = "Access key of the Cloudflare Worker, for its next roll-over" } : {},
  )
}

module "business" {
  source = "../table"

  name        = "${var.name}-business"
  stream      = true
  kms_key_arn = module.secrets.data_key_arn
  disposable  = var.disposable
}

module "engine" {
  source = "../table"

  name        = "${var.name}-engine"
  stream      = false
  kms_key_arn = module.secrets.data_key_arn
  disposable  = var.disposable
}

module "queues" {
  source = "../queues"

  prefix = var.name
  shards = var.shards
}

module "storage" {
  source = "../storage"

  name        = var.name
  kms_key_arn = module.secrets.data_key_arn
  disposable  = var.disposable
  origins     = [module.edge.public_url]
}

module "functions" {
  source = "../functions"

  name             = var.name
  zip_folder       = var.lambda_zip_folder
  architecture     = var.architecture
  environment      = local.environment
  log_days         = var.log_days
  data_key_arn     = module.secrets.data_key_arn
  accounts_key_arn = module.secrets.accounts_key_arn

  environment_of = {
    api      = merge({ HANTAR_PUBLIC_URL = module.edge.public_url }, local.limits, local.egress, local.stripe, local.blobs, local.mail, local.address)
    jobs     = merge(local.blobs, local.mail)
    webhooks = local.egress
  }

  bucket_arn = module.storage.arn

  mail_identities = var.mail == null ? [] : var.mail.identity_arns

  tables = {
    business = module.business.arn
    engine   = module.engine.arn
    stream   = module.business.stream_arn
  }

  queues = {
    shards   = module.queues.shard_arns
    webhooks = module.queues.arns.webhooks
    jobs     = module.queues.arns.jobs
    parked   = module.queues.arns.parked
    dead     = module.queues.arns.dead
  }
}

module "edge" {
  source = "../edge"

  name                = var.name
  function_name       = module.functions.names["api"]
  invoke_arn          = module.functions.api_invoke_arn
  requests_per_second = var.requests_per_second
  burst               = 2 * var.requests_per_second
  log_days            = var.log_days
  data_key_arn        = module.secrets.data_key_arn
  domain              = var.domain
  cloudfront          = var.cloudfront
}

module "device_host" {
  source = "../device_host"

  name             = var.name
  image            = var.host.image
  architecture     = var.architecture
  cpu              = var.host.cpu
  memory           = var.host.memory
  hosts            = { min = var.host.min, max = min(var.host.max, var.shards) }
  devices_per_host = var.host.devices_per_host
  environment      = merge(local.environment, local.blobs, local.egress)
  secrets          = var.traces ? { HANTAR_OTLP_URL = module.secrets.secret_arns["otlp-url"] } : {}
  tables           = { business = module.business.arn, engine = module.engine.arn }
  bucket_arn       = module.storage.arn
  log_days         = var.log_days
  data_key_arn     = module.secrets.data_key_arn
  accounts_key_arn = module.secrets.accounts_key_arn
  disposable       = var.disposable
  emulated         = local.emulated

  queues = {
    shards      = module.queues.shard_arns
    shard_names = module.queues.shard_names
    parked      = module.queues.arns.parked
  }
}

module "alarms" {
  source = "../alarms"

  name           = var.name
  emails         = var.alarm_emails
  runbooks       = var.runbooks
  namespace      = module.device_host.namespace
  data_key_arn   = module.secrets.data_key_arn
  tables         = [module.business.name, module.engine.name]
  shard_queues   = module.queues.shard_names
  queues         = module.queues.names
  functions      = module.functions.names
  host_log_group = module.device_host.log_group
  api_id         = module.edge.api_id
  fleet          = { cluster = module.device_host.cluster, service = module.device_host.service }
  limits         = { shards_taken = 4 * var.shards }
  emulated       = local.emulated
}
