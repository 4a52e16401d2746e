variable "name" {
  description = "The installation's name."
  type        = string
}

variable "emails" {
  description = "Who is told. Each address must confirm once."
  type        = list(string)
}

variable "runbooks" {
  description = "Where the pages of infra/runbooks are, for the links in alarms."
  type        = string
}

variable "namespace" {
  description = "Where metrics made from logs are."
  type        = string
}

variable "data_key_arn" {
  description = "The key that the topic is encrypted with."
  type        = string
}

variable "tables" {
  description = "The tables' names."
  type        = list(string)
}

variable "shard_queues" {
  description = "Names of the shards' queues."
  type        = list(string)
}

variable "queues" {
  description = "Names of the queues webhooks, jobs, parked and dead."
  type        = object({ webhooks = string, jobs = string, parked = string, dead = string })
}

variable "functions" {
  description = "The functions' names."
  type        = object({ api = string, relay = string, counts = string, webhooks = string, jobs = string, timers = string })
}

variable "host_log_group" {
  description = "The hosts' log group."
  type        = string
}

variable "api_id" {
  description = "The HTTP API's id."
  type        = string
}

variable "fleet" {
  description = "The hosts' cluster and service."
  type        = object({ cluster = string, service = string })
}

variable "limits" {
  description = "From where on it is an alarm."
  type = object({
    queue_age_seconds    = optional(number, 120)
    webhook_age_seconds  = optional(number, 600)
    unacked_messages     = optional(number, 20)
    silent_devices       = optional(number, 5)
    relay_behind_seconds = optional(number, 60)
    # Per quarter of an hour. Every host that comes or goes moves its share of the shards once.
    shards_taken = number
  })
}

variable "emulated" {
  description = "Whether an emulator stands in for AWS: it shows alarms otherwise than they were made."
  type        = bool
}
