# Prepares a machine to build and run Playmark. Sourced by cluster/up, tests/run and their neighbours; not run by itself.
#
# What it stands on: bash, git and a Rust toolchain. What it fetches: a C++ compiler and libclang, which RocksDB and its
# bindings are built with, and make, for the allocator. RocksDB's C++ takes longer than all the rest together, so it is compiled once into
# $PLAYMARK_CACHE and shared by every profile and every clone of this user.
#
#   PLAYMARK_CACHE     where built things are kept      default: $HOME/.cache/playmark
#   CARGO_TARGET_DIR   where cargo builds               default: $PLAYMARK_CACHE/target
#   ROCKSDB_LIB_DIR    a librocksdb.a of one's own      default: $PLAYMARK_CACHE/rocksdb

playmark_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export PLAYMARK_CACHE=${PLAYMARK_CACHE:-$HOME/.cache/playmark}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PLAYMARK_CACHE/target}

# Where `ip` and `nft` are, which few users' shells search.
export PATH=$PATH:/usr/sbin:/sbin

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Runs cargo on this workspace, whatever folder the user stands in.
cargo_here() { (cd "$playmark_root" && cargo "$@"); }

# Every tool and library the build needs: what is missing is installed, or named with the command that installs it.
prepare_machine() {
  if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then PATH=$HOME/.cargo/bin:$PATH; fi
  command -v cargo >/dev/null || fail "no Rust toolchain found: install one from https://rustup.rs and run this again"
  local missing=()
  { command -v cc && command -v c++; } >/dev/null || missing+=(g++)
  command -v make >/dev/null || missing+=(make)
  have_libclang || missing+=(libclang-dev)
  install_packages ${missing[@]+"${missing[@]}"}
}

# libclang alone is not enough: RocksDB's header needs the compiler's own headers (stddef.h …) beside it.
have_libclang() {
  [ -z "${LIBCLANG_PATH:-}" ] || return 0
  compgen -G '/usr/lib/llvm*/lib/libclang[-.]*so*' >/dev/null || compgen -G '/usr/lib*/libclang[-.]*so*' >/dev/null ||
    compgen -G '/usr/lib/*-linux-gnu/libclang[-.]*so*' >/dev/null || return 1
  compgen -G '/usr/lib*/llvm*/lib/clang/*/include/stddef.h' >/dev/null ||
    compgen -G '/usr/lib*/clang/*/include/stddef.h' >/dev/null
}

# install_packages NAME…: Debian names. Installs them when that takes no password; otherwise says how, and stops.
install_packages() {
  [ $# -gt 0 ] || return 0
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  command -v apt-get >/dev/null ||
    fail "missing: $*. Install your distribution's packages for them (these are Debian's names) and run this again."
  if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    fail "missing: $*. Install them and run this again:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
  fi
  say "installing $* (apt-get) …"
  "${as_root[@]+"${as_root[@]}"}" env DEBIAN_FRONTEND=noninteractive sh -c \
    'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null' sh "$@" >&2 ||
    fail "apt-get failed. Install these and run this again: $*"
}

# RocksDB as a static library, compiled at most once; exports where it is.
prepare_rocksdb() {
  if [ -z "${ROCKSDB_LIB_DIR:-}" ]; then
    local home=$PLAYMARK_CACHE/rocksdb stamp
    stamp="librocksdb-sys $(rocksdb_version) lz4 $(uname -m)"
    if [ "$(cat "$home/stamp" 2>/dev/null)" != "$stamp" ] || [ ! -f "$home/librocksdb.a" ]; then
      compile_rocksdb "$home" "$stamp"
    fi
    export ROCKSDB_LIB_DIR=$home
  fi
  export ROCKSDB_STATIC=1
}

rocksdb_version() {
  awk -F'"' '/^name = "librocksdb-sys"$/ { found = 1 } found && /^version/ { print $2; exit }' "$playmark_root/Cargo.lock"
}

# compile_rocksdb HOME STAMP: the stamp is written last, so that an interrupted copy is never taken for a whole one.
compile_rocksdb() {
  local home=$1 stamp=$2 made build=$PLAYMARK_CACHE/rocksdb-build log=$PLAYMARK_CACHE/rocksdb-build.log
  mkdir -p "$home" "$build"
  say "RocksDB is compiled once for this user: 10 to 16 minutes on two cores, less on more."
  # A process group of its own (-m), so that an interrupt ends the compilers too and not cargo alone. Without debug
  # information, which would make 45 MB of library into 1.5 GB that every link has to read.
  set -m
  (
    cd "$playmark_root"
    export CARGO_TARGET_DIR=$build CARGO_PROFILE_RELEASE_DEBUG=false
    exec cargo build --release --locked -p librocksdb-sys
  ) >"$log" 2>&1 &
  set +m
  watch_rocksdb $! "$build" || { tail -n 30 "$log" >&2; fail "RocksDB did not compile; the whole log: $log"; }
  made=$(ls -t "$build"/release/build/librocksdb-sys-*/out/librocksdb.a | head -n 1)
  cp "$made" "$home/librocksdb.a.new"
  mv "$home/librocksdb.a.new" "$home/librocksdb.a"
  printf '%s\n' "$stamp" >"$home/stamp"
  rm -rf "$build"
}

# watch_rocksdb PID BUILD: a line of progress that is redrawn on a terminal, and written twice a minute elsewhere.
watch_rocksdb() {
  local pid=$1 build=$2 began=$SECONDS total made next=0 spent line
  trap 'kill -- "-$pid" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    spent=$((SECONDS - began))
    if [ -t 2 ] || [ "$spent" -ge "$next" ]; then
      total=$(cat "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"librocksdb-sys-$(rocksdb_version)"/rocksdb_lib_sources.txt 2>/dev/null | wc -l)
      made=$(find "$build/release/build" -path '*librocksdb-sys-*/out/*.o' 2>/dev/null | wc -l)
      printf -v line 'RocksDB: %d of %s files, %d min %02d s' "$made" "${total/#0/?}" $((spent / 60)) $((spent % 60))
      if [ -t 2 ]; then printf '\r%s  ' "$line" >&2; else say "$line"; next=$((spent + 30)); fi
    fi
    sleep 1
  done
  if [ -t 2 ]; then printf '\n' >&2; fi
  trap - INT TERM
  wait "$pid"
}

# Hands a subcommand to the built `cluster` binary, which talks to the running `cluster/up`.
control() {
  local binary=$CARGO_TARGET_DIR/release/cluster
  [ -x "$binary" ] || fail "nothing is built and so nothing runs: start it with $playmark_root/cluster/up"
  exec "$binary" "$@"
}
