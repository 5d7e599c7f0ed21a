#!/usr/bin/env bash
# Tries the project as a newcomer would, in minimal Debian 12 trees of its own (root; network; some GB of disk):
#   fresh.sh CHECKOUT WORK FORM…            forms: none node18 home0700 space offline
# Each form clones the checkout's HEAD (HUFU_SOAK_TREE=working: the files as they stand; HUFU_SOAK_PATTERN: only those tests), runs `./hufu demo` and
# `./hufu test`, and gets a row in the closing table. Exit code 0 only if every run ended with 0. Debian mirror, npm registry
# and proxies are those of this machine. WORK keeps the logs; the trees are removed.
set -euo pipefail
checkout=$1 work=$2
shift 2
declare -a rows=()
failures=0

say() { printf '%s / %s\n' "$1" "$2"; }
[ "$(id -u)" = 0 ] || { say '需要 root' 'this needs root'; exit 1; }
command -v debootstrap >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends debootstrap; } >"$work/debootstrap.log" 2>&1

unmount() { for mount in proc dev; do ! mountpoint -q "$1/$mount" || umount -l "$1/$mount"; done; }
remove() { unmount "$1"; rm -rf --one-file-system "$1"; }
trap 'for tree in "$work"/tree-*; do [ ! -d "$tree" ] || remove "$tree"; done' EXIT

apt_sources() { grep -lsE '^(URIs:|deb ).*debian' /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources | grep -v nodesource || true; }

# The tree that every form starts from: Debian's least, and git.
make_base() {
  local base=$work/tree-base mirror file
  say '建立最小 Debian 12' 'making a minimal Debian 12'
  mirror=$(apt_sources | xargs -r grep -hE '^(URIs:|deb )' | grep -oE 'https?://[^ ]+' | head -1)
  debootstrap --variant=minbase bookworm "$base" "$mirror" >"$work/debootstrap.log" 2>&1
  rm -f "$base/etc/apt/sources.list"
  apt_sources | while read -r file; do cp "$file" "$base/etc/apt/sources.list.d/"; done
  for file in /etc/apt/apt.conf.d/*; do
    case $file in *docker* | *packagekit* | *appstream*) ;; *) cp "$file" "$base/etc/apt/apt.conf.d/" ;; esac
  done
  cp /etc/resolv.conf /etc/hosts "$base/etc/"
  mkdir -p "$base/etc/ssl" "$base/usr/local/share/ca-certificates"
  cp -r /etc/ssl/certs "$base/etc/ssl/"
  cp -r /usr/local/share/ca-certificates/. "$base/usr/local/share/ca-certificates/" 2>/dev/null || true
  { [ ! -f ~/.npmrc ] || grep -v '^nodedir' ~/.npmrc || true; printf 'registry=%s\n' "$(npm config get registry 2>/dev/null)"; } >"$base/root/.npmrc"
  # No service of a package starts in here.
  printf '#!/bin/sh\nexit 101\n' >"$base/usr/sbin/policy-rc.d"
  chmod +x "$base/usr/sbin/policy-rc.d"
  enter "$base" / 'apt-get update -q && apt-get install -y -q --no-install-recommends git ca-certificates' >>"$work/debootstrap.log" 2>&1
  unmount "$base"
}

# enter TREE FOLDER COMMAND: a shell in the tree that knows nothing of this one's environment but proxies and registry.
enter() {
  mountpoint -q "$1/proc" || mount -t proc proc "$1/proc"
  mountpoint -q "$1/dev" || mount --bind /dev "$1/dev"
  local -a kept=()
  mapfile -t kept < <(env | grep -iE '^(npm_config_registry|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS)=' || true)
  env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "${kept[@]}" \
    ${without_network:+unshare -n} sh -c "${without_network:+ip link set lo up && }exec chroot \"\$0\" sh -c \"cd '$2' && \$1\"" "$1" "$3" </dev/null
}

clone() {
  mkdir -p "$(dirname "$2")"
  if [ "${HUFU_SOAK_TREE:-head}" = working ]; then
    mkdir "$2"
    (cd "$1" && git ls-files -co --exclude-standard -z | xargs -0 -r ls -d 2>/dev/null | tar -cf - -T -) | tar -xf - -C "$2"
    git -C "$2" init -q
  else
    git clone -q --no-hardlinks "$1" "$2"
  fi
}

# attempt FORM NAME TREE FOLDER COMMAND: one row of the table.
attempt() {
  local log=$work/$1-$2.log began=$SECONDS result=ok
  printf '  %s %s … ' "$1" "$2"
  enter "$3" "$4" "$5" >"$log" 2>&1 || { result="FAILED (exit $?)"; failures=$((failures + 1)); }
  printf '%s, %d s\n' "$result" $((SECONDS - began))
  [ "$result" = ok ] || tail -n 15 "$log"
  rows+=("$(printf '%-10s %-6s %-18s %5d s   %s' "$1" "$2" "$result" $((SECONDS - began)) "$(tail -n 1 "$log")")")
}

run_form() {
  local form=$1 tree=$work/tree-$1 folder=/srv/hufu home=
  cp -a "$work/tree-base" "$tree"
  case $form in
    node18) enter "$tree" / 'apt-get install -y -q --no-install-recommends nodejs npm' >"$work/$form-node.log" 2>&1 ;;
    home0700) folder=/root/private/hufu; mkdir -m 0700 "$tree/root/private"; chmod 0700 "$tree/root" ;;
    space) home="HUFU_HOME='/var/lib/hufu state' "; mkdir -m 0700 "$tree/var/lib/hufu state" ;;
  esac
  clone "$checkout" "$tree$folder"
  attempt "$form" demo "$tree" "$folder" "$home./hufu demo"
  if [ "$form" = offline ]; then
    without_network=yes
    attempt "$form" again "$tree" "$folder" './hufu demo'
    without_network=
  else
    attempt "$form" test "$tree" "$folder" "$home./hufu test ${HUFU_SOAK_PATTERN:-}"
  fi
  remove "$tree"
}

without_network=
make_base
for form in "$@"; do run_form "$form"; done
printf '\n'
printf '%s\n' "${rows[@]}"
printf '\n'
if [ "$failures" = 0 ]; then say '全部通过' 'all green'; else say "$failures 项失败，日志在 $work" "$failures failed, logs in $work"; exit 1; fi
