# Optional. Nothing is cached: every answer is somebody's own.

data "aws_cloudfront_cache_policy" "none" {
  count = var.cloudfront == null ? 0 : 1
  name  = "Managed-CachingDisabled"
}

data "aws_cloudfront_origin_request_policy" "all_but_host" {
  count = var.cloudfront == null ? 0 : 1
  name  = "Managed-AllViewerExceptHostHeader"
}

resource "aws_cloudfront_distribution" "this" {
  count = var.cloudfront == null ? 0 : 1

  comment         = var.name
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = "PriceClass_200"
  aliases         = var.cloudfront.aliases

  origin {
    origin_id   = "api"
    domain_name = var.domain == null ? trimprefix(aws_apigatewayv2_api.this.api_endpoint, "https://") : var.domain.name

    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
    }
  }

  default_cache_behavior {
    target_origin_id         = "api"
    viewer_protocol_policy   = "https-only"
    allowed_methods          = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
    cached_methods           = ["GET", "HEAD"]
    cache_policy_id          = data.aws_cloudfront_cache_policy.none[0].id
    origin_request_policy_id = data.aws_cloudfront_origin_request_policy.all_but_host[0].id
    compress                 = true
  }

  viewer_certificate {
    cloudfront_default_certificate = var.cloudfront.certificate_arn == null
    acm_certificate_arn            = var.cloudfront.certificate_arn
    ssl_support_method             = var.cloudfront.certificate_arn == null ? null : "sni-only"
    minimum_protocol_version       = var.cloudfront.certificate_arn == null ? null : "TLSv1.2_2021"
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }
}
