variable "name" {
  description = "The table's name."
  type        = string
}

variable "stream" {
  description = "Whether changes go to a stream, with both images: the relay compares them."
  type        = bool
}

variable "kms_key_arn" {
  description = "The key that the table is encrypted with."
  type        = string
}

variable "disposable" {
  description = "Whether the table may be deleted with all it holds."
  type        = bool
}
