# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation that all modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the connection, and those of waiting."""

    DOCUMENTATION = r"""
options:
  url:
    description: Address of the platform, for example V(https://proximity.example.org:8000). Default E(PROXIMITY_URL).
    type: str
    required: true
  api_token:
    description:
      - API token with the scopes that the task needs. Default E(PROXIMITY_TOKEN).
      - Preferred to a password, which costs a sign-in for each task.
    type: str
  api_username:
    description: Name of the account to sign in with if there is no O(api_token). Default E(PROXIMITY_USERNAME).
    type: str
  api_password:
    description: Password of O(api_username). Default E(PROXIMITY_PASSWORD).
    type: str
  ca_file:
    description: File with the certificates to trust, in PEM format. Default E(PROXIMITY_CA_FILE), then the system's.
    type: path
  fingerprint:
    description:
      - SHA-256 fingerprint of the platform's certificate, with or without colons. Default E(PROXIMITY_FINGERPRINT).
      - Only this certificate is trusted then, whatever its name and issuer.
    type: str
  request_timeout:
    description: Seconds that one request may take.
    type: int
    default: 30
requirements:
  - Python 3.9 or newer where the module runs, usually the control node
notes:
  - The modules call the platform's API; run them with C(delegate_to) or C(hosts) V(localhost).
"""

    WAIT = r"""
options:
  wait:
    description: Wait until the work is done. Otherwise the task ends when the platform has accepted the work.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait at most. The work goes on afterwards, and a repeated task waits for it again.
    type: int
    default: 900
"""
