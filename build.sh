#!/usr/bin/env bash
# Builds, tests and shows ConvPool: ./build.sh [verb] [arguments of the program behind the verb]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

usage() {
    cat <<'END'
usage: ./build.sh [verb] [arguments]

  demo      build everything the demo needs and run it (default); arguments: [photo] [--out file] [--threads n]
  native    build the native library into artifacts/native/<rid>
  managed   build the .NET solution
  test      run every test: C and C#; arguments go to the C# test programs
  bench     run the benchmarks, native against managed; arguments go to BenchmarkDotNet
  compare   measure against ONNX Runtime
  bindings  write the C# bindings anew from native/include/convpool.h
  pack      build the NuGet package into artifacts/packages
END
}

missing() { # what, then its packages for apt, dnf and brew
    local how="install it with your package manager"
    if command -v apt-get >/dev/null; then how="sudo apt-get install $2"
    elif command -v dnf >/dev/null; then how="sudo dnf install $3"
    elif [ "$(uname -s)" = Darwin ]; then how="brew install $4"; fi
    echo "build.sh: $1 is missing: $how" >&2
    exit 1
}

need_dotnet() { # global.json says which SDK
    dotnet --version >/dev/null 2>&1 ||
        missing "the .NET SDK 10 (https://dotnet.microsoft.com/download)" dotnet-sdk-10.0 dotnet-sdk-10.0 dotnet-sdk
}

rid() {
    local os=linux arch=x64
    [ "$(uname -s)" != Darwin ] || os=osx
    case "$(uname -m)" in aarch64 | arm64) arch=arm64 ;; esac
    echo "$os-$arch"
}

build_native() { # target, then settings of CMake
    command -v cmake >/dev/null || missing cmake cmake cmake cmake
    command -v "${CC:-cc}" >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null ||
        missing "a C compiler" gcc gcc llvm
    local tree target=$1
    tree=artifacts/cmake/$(rid)
    shift
    ! command -v ninja >/dev/null || export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"
    cmake --preset "$(rid)" "$@"
    cmake --build "$tree" --config Release --target "$target" --parallel
}

build_managed() {
    need_dotnet
    dotnet build ConvPool.sln -c Release --nologo -v quiet -clp:NoSummary
}

run_project() { # project directory, then its arguments
    local project=$1
    shift
    need_dotnet
    dotnet run --project "$project" -c Release -- "$@"
}

run_tests() {
    local status=0 any=0 code project name results=$PWD/artifacts/test-results
    rm -rf "$results" && mkdir -p "$results"
    ctest --test-dir "artifacts/cmake/$(rid)" -C Release --parallel "$(getconf _NPROCESSORS_ONLN)" \
        --output-on-failure --output-junit "$results/ctest.xml" || status=1
    for project in tests/*Tests; do
        name=$(basename "$project")
        echo "$name"
        code=0
        dotnet "$project/bin/Release/net10.0/$name.dll" --results-directory "$results" \
            --report-xunit-trx --report-xunit-trx-filename "$name.trx" "$@" || code=$?
        case $code in
            0) any=1 ;;
            8) [ $# -gt 0 ] || status=1 ;; # no test ran: the arguments select tests of another program
            *) status=1 ;;
        esac
    done
    [ $any -eq 1 ] || status=1
    return $status
}

verb=${1:-demo}
[ $# -eq 0 ] || shift
case $verb in
    demo) need_dotnet; build_native convpool; run_project samples/FeatureMaps "$@" ;;
    native) build_native convpool "$@" ;;
    managed) build_managed ;;
    test) need_dotnet; build_native all -DCONVPOOL_BUILD_TESTS=ON; build_managed; run_tests "$@" ;;
    bench) need_dotnet; build_native convpool; run_project bench/ConvPool.Benchmarks "$@" ;;
    compare) need_dotnet; build_native convpool; run_project bench/ConvPool.Compare "$@" ;;
    bindings) run_project tools/BindingGenerator "$@" ;;
    pack) need_dotnet; build_native convpool; dotnet pack src/ConvPool.Interop -c Release --nologo -o artifacts/packages "$@" ;;
    -h | --help | help) usage ;;
    *) echo "build.sh: unknown verb '$verb'" >&2; usage >&2; exit 2 ;;
esac
