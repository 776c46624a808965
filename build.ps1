# Builds, tests and shows ConvPool: ./build.ps1 [verb] [arguments of the program behind the verb]
$ErrorActionPreference = 'Stop'
$env:DOTNET_NOLOGO = '1'
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'

$usage = @'
usage: ./build.ps1 [verb] [arguments]

  demo      build everything the demo needs and run it (default); arguments: [photo] [--out file] [--threads n]
  native    build the native library into artifacts/native/<rid>
  managed   build the .NET solution
  test      run every test: C and C#; arguments go to the C# test programs
  bench     run the benchmarks, native against managed; arguments go to BenchmarkDotNet
  compare   measure against ONNX Runtime
  bindings  write the C# bindings anew from native/include/convpool.h
  pack      build the NuGet package into artifacts/packages
'@

$windows = [Environment]::OSVersion.Platform -eq 'Win32NT'

function Has($tool) { $null -ne (Get-Command $tool -CommandType Application -ErrorAction SilentlyContinue) }

function Stop-Missing($what, $winget, $apt, $dnf, $brew) {
    $how = 'install it with your package manager'
    if ($windows) { $how = "winget install $winget" }
    elseif (Has 'apt-get') { $how = "sudo apt-get install $apt" }
    elseif (Has 'dnf') { $how = "sudo dnf install $dnf" }
    elseif ($IsMacOS) { $how = "brew install $brew" }
    [Console]::Error.WriteLine("build.ps1: $what is missing: $how")
    exit 1
}

function Invoke-Tool($tool, $arguments) {
    & $tool @arguments
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

# global.json says which SDK.
function Assert-Dotnet {
    if (Has 'dotnet') {
        $ErrorActionPreference = 'Continue'
        $null = & dotnet --version 2>&1
        if ($LASTEXITCODE -eq 0) { return }
    }
    Stop-Missing 'the .NET SDK 10 (https://dotnet.microsoft.com/download)' `
        'Microsoft.DotNet.SDK.10' 'dotnet-sdk-10.0' 'dotnet-sdk-10.0' 'dotnet-sdk'
}

function Assert-Compiler {
    if (($env:CC -and (Has $env:CC)) -or (Has 'cc') -or (Has 'gcc') -or (Has 'clang') -or (Has 'cl')) { return }
    $vswhere = "${env:ProgramFiles(x86)}\Microsoft Visual Studio\Installer\vswhere.exe"
    if ($windows -and (Test-Path $vswhere)) {
        $tools = 'Microsoft.VisualStudio.Component.VC.Tools.x86.x64'
        if (& $vswhere -products * -latest -requires $tools -property installationPath) { return }
    }
    $buildTools = 'Microsoft.VisualStudio.2022.BuildTools --override "--add Microsoft.VisualStudio.Workload.VCTools --passive"'
    Stop-Missing 'a C compiler' $buildTools 'gcc' 'gcc' 'llvm'
}

function Get-Rid {
    $os = if ($windows) { 'win' } elseif ($IsMacOS) { 'osx' } else { 'linux' }
    $arch = if ([Runtime.InteropServices.RuntimeInformation]::OSArchitecture -eq 'Arm64') { 'arm64' } else { 'x64' }
    "$os-$arch"
}

function Build-Native($target, $settings) {
    if (-not (Has 'cmake')) { Stop-Missing 'cmake' 'Kitware.CMake' 'cmake' 'cmake' 'cmake' }
    Assert-Compiler
    $tree = "artifacts/cmake/$(Get-Rid)"
    # On Windows Ninja finds cl only in a developer prompt; the default generator finds it anywhere.
    if (-not $env:CMAKE_GENERATOR -and (Has 'ninja') -and (-not $windows -or (Has 'cl') -or $env:CC)) {
        $env:CMAKE_GENERATOR = 'Ninja'
    }
    Invoke-Tool cmake (@('--preset', (Get-Rid)) + @($settings | Where-Object { $_ }))
    Invoke-Tool cmake @('--build', $tree, '--config', 'Release', '--target', $target, '--parallel')
}

function Build-Managed {
    Assert-Dotnet
    Invoke-Tool dotnet @('build', 'ConvPool.sln', '-c', 'Release', '--nologo', '-v', 'quiet', '-clp:NoSummary')
}

function Invoke-Project($project, $arguments) {
    Assert-Dotnet
    Invoke-Tool dotnet (@('run', '--project', $project, '-c', 'Release', '--') + $arguments)
}

function Invoke-Tests($arguments) {
    $results = "$PSScriptRoot/artifacts/test-results"
    if (Test-Path $results) { Remove-Item $results -Recurse -Force }
    $null = New-Item $results -ItemType Directory
    & ctest --test-dir "artifacts/cmake/$(Get-Rid)" -C Release --parallel ([Environment]::ProcessorCount) `
        --output-on-failure --output-junit "$results/ctest.xml"
    $failed = $LASTEXITCODE -ne 0
    $any = $false
    foreach ($project in Get-ChildItem tests -Directory -Filter *Tests) {
        $name = $project.Name
        $name
        $options = @('--results-directory', $results, '--report-xunit-trx', '--report-xunit-trx-filename', "$name.trx") + $arguments
        & dotnet "tests/$name/bin/Release/net10.0/$name.dll" @options
        $any = $any -or $LASTEXITCODE -eq 0
        # 8, no test ran: the arguments select tests of another program.
        $failed = $failed -or $LASTEXITCODE -notin @(0; if ($arguments) { 8 })
    }
    if ($failed -or -not $any) { exit 1 }
}

$verb = if ($args.Count -gt 0) { $args[0] } else { 'demo' }
$rest = @($args | Select-Object -Skip 1)
Push-Location $PSScriptRoot
try {
    switch ($verb) {
        'demo' { Assert-Dotnet; Build-Native convpool; Invoke-Project samples/FeatureMaps $rest }
        'native' { Build-Native convpool $rest }
        'managed' { Build-Managed }
        'test' { Assert-Dotnet; Build-Native all @('-DCONVPOOL_BUILD_TESTS=ON'); Build-Managed; Invoke-Tests $rest }
        'bench' { Assert-Dotnet; Build-Native convpool; Invoke-Project bench/ConvPool.Benchmarks $rest }
        'compare' { Assert-Dotnet; Build-Native convpool; Invoke-Project bench/ConvPool.Compare $rest }
        'bindings' { Invoke-Project tools/BindingGenerator $rest }
        'pack' {
            Assert-Dotnet
            Build-Native convpool
            Invoke-Tool dotnet (@('pack', 'src/ConvPool.Interop', '-c', 'Release', '--nologo', '-o', 'artifacts/packages') + $rest)
        }
        { $_ -in 'help', '-h', '--help' } { $usage }
        default { [Console]::Error.WriteLine("build.ps1: unknown verb '$verb'"); [Console]::Error.WriteLine($usage); exit 2 }
    }
} finally {
    Pop-Location
}
exit 0
