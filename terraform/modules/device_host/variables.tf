variable "name" {
  description = "The installation's name."
  type        = string
}

variable "image" {
  description = "The image with its digest or tag; empty: the tag `latest` of the repository made here."
  type        = string
  default     = ""
}

variable "architecture" {
  description = "What the image was built for: arm64 or x86_64."
  type        = string
}

variable "cpu" {
  description = "CPU units of a host: 1024 are one processor."
  type        = number
}

variable "memory" {
  description = "Memory of a host in MiB. A device takes 0.27."
  type        = number
}

variable "hosts" {
  description = "How many hosts there are at least and at most. More than shards would idle."
  type        = object({ min = number, max = number })

  validation {
    condition     = var.hosts.min >= 0 && var.hosts.max >= var.hosts.min
    error_message = "hosts: expected 0 <= min <= max."
  }
}

variable "devices_per_host" {
  description = "How many devices a host is to have on average: more hosts are started above, fewer kept below."
  type        = number
}

variable "environment" {
  description = "Variables of the hosts (device-host/src/config.rs)."
  type        = map(string)
}

variable "secrets" {
  description = "Variables whose values come from Secrets Manager: name to ARN."
  type        = map(string)
  default     = {}
}

variable "tables" {
  description = "ARNs of the tables."
  type        = object({ business = string, engine = string })
}

variable "queues" {
  description = "ARNs of the queues that hosts use, and the shards' queue names."
  type        = object({ shards = list(string), parked = string, shard_names = list(string) })
}

variable "bucket_arn" {
  description = "The bucket of large things."
  type        = string
}

variable "data_key_arn" {
  description = "The key that logs, secrets and the bucket are encrypted with."
  type        = string
}

variable "accounts_key_arn" {
  description = "The key that wraps accounts' data keys."
  type        = string
}

variable "log_days" {
  description = "For how many days logs are kept."
  type        = number
}

variable "address_range" {
  description = "The network's address range."
  type        = string
  default     = "10.64.0.0/16"
}

variable "disposable" {
  description = "Whether the repository may be deleted with its images."
  type        = bool
}

variable "emulated" {
  description = "Whether an emulator stands in for AWS. It has no autoscaling, and shows alarms otherwise than they were made."
  type        = bool
}
