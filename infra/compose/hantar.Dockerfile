# syntax=docker/dockerfile:1
# The program `hantar` with the simulated network, for this folder's compose file. Not for customers.
FROM rust:1.95-bookworm AS build
WORKDIR /hantar
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target \
    CARGO_TARGET_DIR=/target cargo build --locked --release --package hantar-local --features simulator \
    && cp /target/release/hantar /hantar-program

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /hantar-program /hantar
COPY LICENSE-AGPL /LICENSE
USER 65532:65532
ENTRYPOINT ["/hantar"]
