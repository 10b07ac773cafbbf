# Installs Tweenbridge from this folder, for the user who runs it:
#     powershell -ExecutionPolicy Bypass -File install.ps1
# What follows goes to `tweenbridge install`, for instance --dry-run. It needs Python 3.10 or newer, nothing else.
$ErrorActionPreference = 'Stop'
$check = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10) or sys.maxsize < 2**32)'

# The launcher's versions, newest well-tried one first, then what the PATH has; PYTHON names another.
$candidates = @()
if ($env:PYTHON) { $candidates += , @($env:PYTHON) }
foreach ($version in '3.12', '3.13', '3.11', '3.10', '3.14') { $candidates += , @('py', "-$version") }
$candidates += , @('python')

foreach ($candidate in $candidates) {
    $program = $candidate[0]
    $words = @($candidate | Select-Object -Skip 1)
    if (-not (Get-Command $program -ErrorAction SilentlyContinue)) { continue }
    $found = $false
    try {
        & $program @words -c $check 2>$null
        $found = $LASTEXITCODE -eq 0
    } catch {
        # Windows PowerShell reports what a program writes to standard error as an error of its own.
        $found = $false
    }
    if ($found) {
        & $program @words (Join-Path $PSScriptRoot 'bootstrap.py') install @args
        exit $LASTEXITCODE
    }
}

Write-Host 'Tweenbridge needs Python 3.10 or newer (64 bits), and there is none here.'
Write-Host 'Install Python 3.12 from https://www.python.org/downloads/windows/ or with: winget install Python.Python.3.12'
Write-Host 'Then run this again.'
exit 1
