"""The version of a deployment: what Bicep states of itself, and what this code was written for."""

from __future__ import annotations

DEPLOYMENT_VERSION = 2
"""The version that this code belongs to; `infra/modules/site.bicep` states the same.

It is one higher as soon as the deployment gives an app a setting that the code of the version
before does not know, or a known one in a form that it cannot read: that code runs on until it is
replaced, and ignores what it does not know.
"""
