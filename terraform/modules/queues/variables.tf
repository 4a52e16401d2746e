variable "prefix" {
  description = "What the queues' names begin with (HANTAR_QUEUE_PREFIX)."
  type        = string
}

variable "shards" {
  description = "How many shards there are: one queue each. Fixed for the life of an installation."
  type        = number

  validation {
    condition     = var.shards >= 1 && var.shards <= 1024 && floor(var.shards) == var.shards
    error_message = "shards: expected a whole number from 1 to 1024."
  }
}
