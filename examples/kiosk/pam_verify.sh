#!/bin/sh
# For pam_exec, which names the person in PAM_USER and takes any exit code but 0 for a refusal.
# Its line in /etc/pam.d stands in README.md.
set -eu
exec /usr/local/bin/edge-vessel-kiosk verify --subject "$PAM_USER"
