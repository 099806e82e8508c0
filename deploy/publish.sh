#!/usr/bin/env bash
# Makes the package for machines without an SDK: artifacts/energygrid-linux-x64.tar.xz, one folder with the `energygrid` executable in it.
#   deploy/publish.sh                  for linux-x64
#   deploy/publish.sh -r linux-arm64   for Grace and other 64-bit Arm machines
#   deploy/publish.sh --gzip           where the target has no xz
# On the target, which needs the NVIDIA driver and nothing else: tar -xf energygrid-linux-x64.tar.xz, then two calls of six minutes each:
#   energygrid/energygrid gpu-evidence --out DIR --part 1
#   energygrid/energygrid gpu-evidence --out DIR --part 2
set -euo pipefail

# What fits through a chat, a ticket or a slow login node. More than that is a mistake in the package, not a larger package.
most_mebibytes=60

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
runtime=linux-x64
packer=xz

usage() {
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    -r | --runtime)
        [ $# -ge 2 ] || usage
        runtime=$2
        shift 2
        ;;
    --gzip)
        packer=gzip
        shift
        ;;
    *) usage ;;
    esac
done
case $runtime in
linux-x64 | linux-arm64) ;;
*)
    echo "publish: '$runtime' is not linux-x64 or linux-arm64" >&2
    exit 2
    ;;
esac
command -v dotnet >/dev/null || {
    echo "publish: no 'dotnet' on the PATH; only this script needs the SDK, not the machine that runs the package" >&2
    exit 2
}
if [ "$packer" = xz ] && ! command -v xz >/dev/null; then
    echo "publish: no xz here, packing with gzip" >&2
    packer=gzip
fi

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
staging=$root/artifacts/publish/$runtime
rm -rf "$staging"
mkdir -p "$staging"

# The runtime travels along (--self-contained). Not trimmed: documents are serialized by reflection, and ASP.NET Core and Orleans find their
# parts by it. Invariant globalization, because a bare node has no ICU and the command would not start; it formats invariantly anyway.
# Not a single file: PTX and plans are embedded resources already, and a folder starts without unpacking itself into a temporary directory.
dotnet publish "$root/client/Console/Console.csproj" -c Release -r "$runtime" --self-contained true -o "$staging/energygrid" -v q --nologo -nodeReuse:false \
    -p:InvariantGlobalization=true -p:SatelliteResourceLanguages=en -p:DebugType=none -p:GenerateDocumentationFile=false -p:UseAppHost=true

[ -x "$staging/energygrid/energygrid" ] || mv "$staging/energygrid/EnergyGrid.Console" "$staging/energygrid/energygrid"
cp "$root/LICENSE" "$staging/energygrid/LICENSE"

case $packer in
xz) package=$root/artifacts/energygrid-$runtime.tar.xz ;;
gzip) package=$root/artifacts/energygrid-$runtime.tar.gz ;;
esac
# The same bytes for the same sources: sorted names, no owner, one date.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime='2000-01-01 00:00Z' -C "$staging" -cf - energygrid |
    case $packer in xz) xz -6 -T0 ;; gzip) gzip -9n ;; esac >"$package.part"
mv "$package.part" "$package"

bytes=$(stat -c %s "$package")
printf '%s  %d.%02d MiB compressed (limit %d MiB), %s unpacked\n' "${package#"$root"/}" $((bytes / 1048576)) $((bytes % 1048576 * 100 / 1048576)) "$most_mebibytes" \
    "$(du -sh "$staging/energygrid" | cut -f1)"
if [ "$bytes" -ge $((most_mebibytes * 1048576)) ]; then
    echo "publish: the package is not below $most_mebibytes MiB" >&2
    exit 1
fi
