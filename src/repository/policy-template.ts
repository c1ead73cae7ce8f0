// The policy.yaml that a new root begins with.

/** Names the JSON Schema that `policyTemplate` points editors at; it lies beside policy.yaml. */
export const policySchemaFileName = 'policy.schema.json'

export function policyTemplate(): string {
  return `# yaml-language-server: $schema=${policySchemaFileName}
#
# The policy: which packages belong on which nodes. Nothing happens when you save this file.
#   banyan plan       shows what releasing it would change
#   banyan release    signs it and hands it out to every node
# Keep it in git: it is all there is to say what the fleet should be.

# Groups give names to sets of nodes. A node is in a group when everything that is named there holds for it.
#
# groups:
#   web:    { labels: { role: web } }            # what the node was joined with: --label role=web
#   berlin: { site: berlin }                     # --site berlin; several: [berlin, potsdam]
#   trixie: { facts: { os.codename: trixie } }   # what the node finds out about its machine
#   canary: { names: [web-1, web-2] }            # node by node
groups: {}

# Rules say what belongs on nodes. Later rules win, package by package. What no rule mentions any more and banyan
# installed, banyan removes; what banyan never installed, it leaves alone unless it is absent.
#
# rules:
#   - nodes: all
#     packages:
#       openssl: latest          # the newest version that is published when you release
#       telnetd: absent          # never there, whoever installed it
#   - nodes: [web]               # in any of these groups
#     except: [berlin]           # and in none of these
#     packages:
#       shop: 4.2.0              # exactly this version
#     note: berlin gets it after the fair
#     window: nights             # only then; payloads are fetched at once
#     rollout: careful           # not on all of them at once
#     restart: [shop.service]    # if it runs, once shop has changed
rules: []

# What the distribution brings along, for the nodes of a group or for all: a list of packages in a file beside this one.
# A release with packages that need what nodes would not have is refused.
#
# base:
#   trixie: trixie-packages.txt  # dpkg-query -W -f '\${Package} \${Version} \${Provides}\\n' on a fresh machine
base: {}

# Limits say what nodes may use of links and disks. Later ones win, key by key, and what a node's own settings say wins.
#
# limits:
#   - { nodes: [berlin], linkDownloadLimit: 10mbit, storeQuota: 50GB }
limits: []

# Windows say when nodes may change, in the local time of each node. On a rule, urgent: true waits for none, and
# mode: audit tells what differs and changes nothing.
#
# windows:
#   nights: { days: mon-fri, from: '22:00', until: '05:00' }
windows: {}

# Rollouts say how carefully changes reach the nodes: in waves, which halt by themselves when too many nodes fail.
# \`banyan rollout\` shows how far they are.
#
# rollouts:
#   careful: { waves: [1%, 10%, 100%], soak: 30m, halt: { failed: 2% } }
rollouts: {}
`
}
