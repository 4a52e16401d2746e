# syntax=docker/dockerfile:1
# The device host: one program on a base with no shell, run by nobody, on a root that cannot be written.
#
#   docker build -f infra/docker/device-host.Dockerfile -t hantar-device-host .          (from the root of the clone)
#   docker run --read-only --cap-drop ALL --env-file host.env hantar-device-host
#
# Why a base with glibc and not scratch: the host runs many threads, for which musl's allocator is slow, and AWS is spoken
# to with the system's root certificates, which this base has. It is built natively for each platform:
# `docker buildx build --platform linux/arm64 …`.

ARG RUST=1.95-bookworm
ARG BASE=gcr.io/distroless/cc-debian12:nonroot

FROM rust:${RUST} AS build
WORKDIR /hantar
COPY . .
# For the simulated network: `--build-arg FEATURES=simulator`. Never for customers.
ARG FEATURES=""
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target \
    export CARGO_TARGET_DIR=/target \
    && cargo build --locked --release --package hantar-device-host --features "${FEATURES}" \
    && cargo --locked run --quiet --package xtask -- sbom hantar-device-host > /sbom.cdx.json \
    && cp /target/release/hantar-device-host /hantar-device-host

FROM ${BASE}
COPY --from=build /hantar-device-host /hantar-device-host
# What is in it, in CycloneDX.
COPY --from=build /sbom.cdx.json /sbom.cdx.json
COPY LICENSE-AGPL /LICENSE
USER 65532:65532
# It leaves within 25 s.
STOPSIGNAL SIGTERM
# Health and metrics, for those who watch it inside its network. Nothing else listens.
EXPOSE 9090
# Whoever runs it asks /healthz; there is no shell in here to ask with.
HEALTHCHECK NONE
ENTRYPOINT ["/hantar-device-host"]
