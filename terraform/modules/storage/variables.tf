variable "name" {
  description = "The installation's name."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that objects are encrypted with."
  type        = string
}

variable "disposable" {
  description = "Whether buckets may be deleted with all they hold."
  type        = bool
}

variable "kept_days" {
  description = "For how many days each kind of object is kept."
  type        = map(number)
  default = {
    bulks     = 30
    campaigns = 90
    exports   = 7
    imports   = 7
    media     = 90
  }
}

variable "origins" {
  description = "The origins of pages that put files to the bucket and fetch them."
  type        = list(string)
  default     = []
}
