#!/usr/bin/env bash
# A llama-server that nobody here built: Debian's package of a later suite, unpacked into a folder of its own and run by that suite's own loader. Nothing is installed, and apt's settings stay as they are.
#   tests/install-llama-server.sh DIR     leaves DIR/llama-server; says its version
# The suite rolls: what is asserted of it is behaviour.
set -euo pipefail

[ $# -eq 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd -P)
suite=forky
keys=/usr/share/keyrings/debian-archive-keyring.gpg
# Where this machine gets its packages, gets these.
mirror=$(sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb (\[[^]]*\] )?([^ ]+) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null | grep -v security | head -1 || true)
[ -n "$mirror" ] || { echo "install-llama-server: no Debian mirror is set up here" >&2; exit 1; }

mkdir -p "$folder"/lists/partial "$folder"/cache/archives/partial "$folder"/root
echo "deb [signed-by=$keys] $mirror $suite main" >"$folder/sources.list"
cat >"$folder/apt.conf" <<CONF
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$folder/lists";
Dir::Cache "$folder/cache";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
export APT_CONFIG=$folder/apt.conf
apt-get -qq update
(cd "$folder" && apt-get -qq download llama.cpp-tools libllama0 libggml0 libc6 libstdc++6 libgcc-s1 libgomp1 libssl3t64 zlib1g libzstd1)
for package in "$folder"/*.deb; do dpkg -x "$package" "$folder/root"; done
rm -rf "$folder"/*.deb "$folder/lists" "$folder/cache"

cat >"$folder/llama-server" <<RUN
#!/usr/bin/env bash
libraries=$folder/root/usr/lib/x86_64-linux-gnu
cd "\$libraries"/ggml/backends* 
exec "\$libraries/ld-linux-x86-64.so.2" --library-path "\$libraries:\$libraries/llama" "$folder/root/usr/bin/llama-server" "\$@"
RUN
chmod +x "$folder/llama-server"
"$folder/llama-server" --version 2>&1 | head -1
