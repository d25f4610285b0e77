#!/usr/bin/env bash
# Builds the image slipgate:<version> with docker or buildah, the same bytes from the same commit, and its
# SBOM in build/. Where there is neither, it says so and stops: `make check` has looked at the Dockerfile.
#
# BASE names the base image at a mirror; SOURCE_DATE_EPOCH is the time of all files (default: the commit's).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
options=(--tag "slipgate:$version" --tag slipgate:latest
    --label "org.opencontainers.image.title=slipgate"
    --label "org.opencontainers.image.version=$version"
    --label "org.opencontainers.image.revision=$(git rev-parse HEAD)")
[ -z "${BASE:-}" ] || options+=(--build-arg "BASE=$BASE")

sbom=build/slipgate-$version.cdx.json
mkdir -p build
cyclonedx-py requirements --output-reproducible --of JSON --sv 1.6 --pyproject pyproject.toml \
    --output-file "$sbom" gateway/deploy/requirements.lock
echo "SBOM of the Python packages: $sbom"

if docker info >/dev/null 2>&1; then
    docker buildx build --provenance=false "${options[@]}" \
        --output "type=docker,rewrite-timestamp=true" .
elif command -v buildah >/dev/null; then
    # BUILDAH holds options of buildah itself, such as --storage-driver vfs.
    read -ra own <<<"${BUILDAH:-}"
    buildah "${own[@]}" bud --format docker --no-cache --timestamp "$SOURCE_DATE_EPOCH" "${options[@]}" .
else
    echo "No image was built: neither a running docker nor buildah is here" >&2
    exit 3
fi
