#!/usr/bin/env bash
# Builds the image slipgate:<version> with docker or buildah, the same files from the same commit, and its
# SBOM in build/. Where there is neither, it says so and stops: `make check` has looked at the Dockerfile.
#
# BASE names the base image at a mirror; SOURCE_DATE_EPOCH is the time of all files (default: the commit's).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
image=slipgate:$version
options=(--tag "$image" --tag slipgate:latest
    --label "org.opencontainers.image.title=slipgate"
    --label "org.opencontainers.image.version=$version"
    --label "org.opencontainers.image.revision=$(git rev-parse HEAD)")
[ -z "${BASE:-}" ] || options+=(--build-arg "BASE=$BASE")

sbom=build/slipgate-$version.cdx.json
mkdir -p build
cyclonedx-py requirements --output-reproducible --of JSON --sv 1.6 --pyproject pyproject.toml \
    --output-file "$sbom" gateway/deploy/requirements.lock

# What the image holds beside our Python packages, and the time of one of its files.
# shellcheck disable=SC2016 # the image's shell expands it
question='. /etc/os-release; echo "$ID-$VERSION_ID"; python -c "import platform; print(platform.python_version())"
    dpkg-query --show --showformat="\${Package}\t\${Version}\t\${Architecture}\t\${source:Package}\t\${source:Version}\n"'
file=/opt/slipgate/bin/slipgate

if docker info >/dev/null 2>&1; then
    if docker buildx version >/dev/null 2>&1; then
        docker buildx build --provenance=false "${options[@]}" --output "type=docker,rewrite-timestamp=true" .
    else
        docker build "${options[@]}" .
    fi
    inside=(docker run --rm --network=none --entrypoint=/bin/sh "$image" -c)
    "${inside[@]}" "$question" | python3 gateway/deploy/debian_packages.py "$sbom"
    if [ "$("${inside[@]}" "stat --format=%Y $file")" != "$SOURCE_DATE_EPOCH" ]; then
        echo "This docker leaves the files the time of the build: the same files, other digests. buildah, or" \
            "a builder of buildx with BuildKit 0.13 or later, sets the commit's time"
    fi
elif command -v buildah >/dev/null; then
    # BUILDAH holds options of buildah itself, such as --storage-driver vfs.
    read -ra own <<<"${BUILDAH:-}"
    buildah "${own[@]}" bud --format docker --no-cache --timestamp "$SOURCE_DATE_EPOCH" "${options[@]}" .
    container=$(buildah "${own[@]}" from --pull-never "$image")
    trap 'buildah "${own[@]}" rm "$container" >/dev/null' EXIT
    buildah "${own[@]}" run "$container" -- /bin/sh -c "$question" | python3 gateway/deploy/debian_packages.py "$sbom"
else
    echo "No image was built: neither a running docker nor buildah is here. SBOM of the Python packages: $sbom" >&2
    exit 3
fi
echo "SBOM, with the Debian packages: $sbom"
