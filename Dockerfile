# Two images. The default has nothing but the bridge, as one static program:
#
#     docker build -t postern .
#
# This one also has ffmpeg, for voice messages, GIFs and stickers, and a shell:
#
#     docker build -t postern:full --target full .
#
# Both run as a user without rights, keep everything in /data, and need no other folder they can write to. BuildKit is needed: engines
# before 23 use it with DOCKER_BUILDKIT=1.

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG BUILDARCH TARGETARCH
# SQLite is C, so another architecture takes its compiler. Debian's packages are named amd64 and arm64, like Docker's.
RUN if [ "$TARGETARCH" != "$BUILDARCH" ]; then \
        apt-get update && apt-get install -y --no-install-recommends "crossbuild-essential-$TARGETARCH"; \
    fi
WORKDIR /src
COPY go.mod go.sum ./
# What was fetched and compiled is kept, so that an update compiles only what changed.
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=development
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    case "$TARGETARCH" in \
        "$BUILDARCH") ;; \
        arm64) export CC=aarch64-linux-gnu-gcc ;; \
        amd64) export CC=x86_64-linux-gnu-gcc ;; \
        *) echo "architecture $TARGETARCH is not known here" >&2; exit 1 ;; \
    esac; \
    CGO_ENABLED=1 GOARCH="$TARGETARCH" go build -trimpath -buildvcs=false \
        -tags goolm,netgo,osusergo,sqlite_omit_load_extension \
        -ldflags "-s -w -linkmode external -extldflags -static -X main.release=$VERSION" \
        -o /out/postern ./cmd/postern
# A new volume takes over the owner of the folder that it covers.
RUN mkdir /out/data

FROM debian:bookworm-slim AS full
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates ffmpeg \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/postern /usr/bin/postern
COPY --from=build --chown=29340:29340 /out/data /data
USER 29340:29340
WORKDIR /data
VOLUME /data
EXPOSE 29340 29400
HEALTHCHECK --interval=30s --timeout=15s --start-period=2m CMD ["/usr/bin/postern", "health", "--live", "--config", "/data/config.yaml"]
ENTRYPOINT ["/usr/bin/postern"]
CMD ["run", "--config", "/data/config.yaml"]

FROM scratch AS slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/postern /usr/bin/postern
COPY --from=build --chown=29340:29340 /out/data /data
USER 29340:29340
WORKDIR /data
VOLUME /data
EXPOSE 29340 29400
HEALTHCHECK --interval=30s --timeout=15s --start-period=2m CMD ["/usr/bin/postern", "health", "--live", "--config", "/data/config.yaml"]
ENTRYPOINT ["/usr/bin/postern"]
CMD ["run", "--config", "/data/config.yaml"]
