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
    media   = 90
    imports = 7
    exports = 7
  }
}
