// Every limit of queues, messages, retries and waits, its unit last in its name.

const KiB = 1024
const MiB = 1024 * KiB

export const limits = {
  // Messages and files.
  objectMaxBytes: 16 * MiB,
  tufFileMaxBytes: 2 * MiB,
  announceMaxBytes: 2 * MiB,
  announceSwarmsMax: 20_000,
  /** Unfinished ones in one announce, the rest as those come to an end: each handout has the parent and a sibling for all of them. */
  announcedUnfinishedMax: 3_000,
  /** Whoever is to tell all that it has waits up to so long for each, so that not all children tell it at once. */
  tellAllSpreadMs: 1,
  /** Commas, colons and brackets, which cost more to parse than their bytes say: of announces and handouts, */
  announceMarksMax: 200_000,
  /** of a batch of reports, each an envelope, */
  reportBatchMarksMax: 20_000,
  /** of the report in an envelope, */
  reportMarksMax: 100_000,
  /** of a manifest, */
  manifestMarksMax: 10_000,
  /** and of what else another node says. */
  messageMarksMax: 1_000,
  reportsMaxBytes: 8 * MiB,
  reportBatchMax: 500,
  reportMaxBytes: 256 * KiB,
  /** Of problems, attacks and facts each; of transfers twice that. */
  reportPartMaxBytes: 32 * KiB,
  reportTransfersMax: 200,
  reportProblemsMax: 50,
  reportFactsMax: 500,
  reportTextMaxChars: 1_024,
  /** The last of what programs printed in an apply that failed. */
  reportOutputMaxChars: 8_192,
  outcomeDetailMaxChars: 4_096,
  outcomeDetailShortChars: 200,
  enrolMaxBytes: 16 * KiB,
  localRequestMaxBytes: 1 * MiB,
  localReplyMaxBytes: 256 * MiB,
  settingsMaxBytes: 256 * KiB,
  policyMaxBytes: 4 * MiB,
  policyPackagesMax: 10_000,
  /** One list of what a distribution brings along. */
  baseListMaxBytes: 8 * MiB,
  policyGroupsMax: 1_000,
  policyWindowsMax: 100,
  policyLimitsMax: 100,
  policyRolloutsMax: 100,
  wavesMax: 20,
  /** Under way at once. */
  rolloutsMax: 1_000,
  /** Former states of what is being rolled out, so that nodes whose wave is closed know what to keep. */
  earlierMax: 8,
  policyRulesMax: 10_000,
  /** Revisions that `banyan history` lists. */
  historyMax: 100,
  yamlDepthMax: 32,
  yamlValuesMax: 500_000,
  labelsMax: 64,
  textMaxChars: 512,
  logValueMaxChars: 2_048,

  // Payloads. Below the threshold a payload travels as an object.
  swarmThresholdBytes: 1 * MiB,
  payloadMaxBytes: 64 * 1024 * MiB,
  treeFilesMax: 200_000,
  treePathMaxBytes: 2_048,
  descriptionMaxBytes: 64 * KiB,
  debControlMaxBytes: 8 * MiB,
  rpmHeaderMaxBytes: 32 * MiB,
  /** Clauses of one package; with what it provides they have to fit into manifestMarksMax. */
  dependsMax: 4_000,
  providesMax: 2_000,
  publishQueueMax: 64,
  payloadCheckTimeoutMs: 30 * 60_000,
  pieceMinBytes: 256 * KiB,
  pieceMaxBytes: 8 * MiB,
  piecesAimed: 1_000,

  /** Free on the disk before a store that met a full disk is opened again. */
  storeRepairBytes: 4 * MiB,

  // Waits.
  watchHangMs: 55_000,
  parentReturnMs: 10 * 60_000,
  renewalLookMs: 24 * 3600_000,
  newSwarmWaitMs: 2_000,
  loadRetryMs: 5_000,
  turnedAwayLookMs: 5_000,
  requestTimeoutMs: 30_000,
  /** An answer that is larger than httpFreeAnswerBytes may take longer, as long as it does at this speed, and so long at most. */
  slowestBytesPerSecond: 8 * KiB,
  sendingMaxMs: 3 * 60_000,
  connectTimeoutMs: 10_000,
  keepAliveMs: 75_000,
  keepAliveProbeMs: 15_000,
  refusedBodyLingerMs: 1_000,
  retryFirstMs: 500,
  retryCeilingMs: 60_000,
  /** Who is asked to come later is asked to come after so many seconds at most, each after other ones. */
  retryAfterMaxS: 8,
  announceIntervalMs: 30_000,
  announceBusyIntervalMs: 2_000,
  announceDebounceMs: 50,
  peerForgottenAfterMs: 120_000,
  /** Who has not announced for so many of its intervals does not count as gateway any longer. */
  announceLateIntervals: 4,
  /** How long a gateway may get nothing although its parent has more, and a sibling nothing although others have more; */
  gatewayPatienceMs: 15_000,
  /** it becomes twice as long with each replacement, so often. */
  gatewayPatienceDoublings: 6,
  /** So many gateways for one payload at most, where one node is slower than the link of its site: */
  gatewaysMax: 3,
  /** for so long it is measured what comes in, */
  gatewayMeasureMs: 8_000,
  /** and so much more is to come with one gateway more. */
  gatewayGainFactor: 1.25,
  /** Sites of whose links it is remembered what they have carried. */
  gatewayLinksKept: 10_000,
  /** Who did not do as gateway is elected in this time only if there is nobody else. */
  gatewayRestMs: 30_000,
  /** A tracker with more children than this can serve at the usual interval asks them to come less often. */
  announcesPerSecondMax: 500,
  reportFutureMs: 10 * 60_000,
  heartbeatMs: 15 * 60_000,
  /** Added to two heartbeats before a node counts as silent. */
  silentSlackMs: 60_000,
  reportDebounceMs: 200,
  checkIntervalMs: 15 * 60_000,
  engineIdleMs: 30_000,
  stopMs: 5_000,
  notifyTimeoutMs: 5_000,
  hookTimeoutMs: 60_000,
  killAfterTermMs: 5_000,
  outputDrainMs: 500,
  /** Of a program that prints into a file: longer than that it starts over. */
  outputFileMaxBytes: 64 * MiB,
  outputFileLookMs: 1_000,
  factsTimeoutMs: 15_000,
  applyTimeoutMs: 60 * 60_000,
  failedRetryMs: 60_000,
  /** A package that failed is left alone for so long, and twice as long after each further failure. */
  quarantineFirstMs: 2 * 60_000,
  quarantineCeilingMs: 6 * 3600_000,

  // Applying.
  packageQueryTimeoutMs: 60_000,
  /** One run of apt or dpkg: the wait for the package lock, unpacking, every maintainer script. */
  debTransactionTimeoutMs: 30 * 60_000,
  /** `dpkg --configure -a` after an interrupted run. */
  debRepairTimeoutMs: 10 * 60_000,
  /** How long apt waits for another program that holds the package lock. */
  debLockWaitMs: 5 * 60_000,
  /** One run of rpm, dnf or zypper, with every scriptlet. */
  rpmTransactionTimeoutMs: 30 * 60_000,
  /** How long another program that holds the lock of rpm or zypper is waited for. */
  rpmLockWaitMs: 5 * 60_000,
  /** Of package lists and simulations. */
  packageListMaxBytes: 16 * MiB,
  treeRecordLineMaxBytes: 64 * KiB,
  /** Differing files that one finding names. */
  findingsNamedMax: 3,
  detailMaxChars: 4_096,
  planMaxBytes: 32 * MiB,
  journalMaxBytes: 8 * MiB,
  /** How long a started apply may take until it holds its lock. */
  applyStartMs: 30_000,
  /** One `systemctl try-restart`, which waits until the unit runs again. */
  restartTimeoutMs: 5 * 60_000,
  /** Units of which it is known how their last restart went. */
  restartsKept: 100,
  /** Units that run from files which are gone, in a report. */
  unitsNamedMax: 50,
  /** How old what is known of processes may be. */
  processLookMs: 10 * 60_000,
  /** What a killed apply had started is waited for so long, and then ended: no apply could begin before. */
  leftBehindMs: 30 * 60_000,
  /** Finished applies whose folders are kept to look at. */
  appliesKept: 3,

  /** How often a machine is asked whether it may give. */
  uploadFactsLookMs: 30_000,

  // Queues.
  connectionsMax: 4_096,
  connectionsPerAddressMax: 1_024,
  /** More than connectionsToOneMax: after a break the old ones may still count. */
  connectionsPerCertificateMax: 16,
  requestsOnConnectionMax: 2,
  /** Bodies that are read and answers that are not yet taken, at a control port; */
  httpBytesUnderwayMax: 64 * MiB,
  /** those of one certificate: one object of the largest size; */
  httpBytesUnderwayOfOneMax: 16 * MiB,
  /** and an answer of this size counts for nothing. */
  httpFreeAnswerBytes: 64 * KiB,
  httpAnswerSizesMax: 1_024,
  httpAnswerPathMaxChars: 200,
  connectionsToOneMax: 8,
  idleConnectionsToOneMax: 2,
  identitiesPooledMax: 16,
  pendingSocketsMax: 256,
  /** Of those, for one address. */
  pendingPerAddressMax: 128,
  peersPerHandoutMax: 50,
  /**
   * Siblings at the parent's own site, for one that is there, too. As many call it, and each has others: pieces and news are
   * everywhere after two or three steps, while each wire more costs both its ends for every piece.
   */
  nearPerHandoutMax: 6,
  /** Peers in one handout, over all its swarms: keeps it below announceMaxBytes. */
  handoutPeersMax: 6_000,
  trackerMembersMax: 20_000,
  trackerMembershipsMax: 500_000,
  /** Payloads of which a tracker knows who has them whole. Each takes one bit for each child. */
  trackerWholesMax: 50_000,
  attacksKept: 20,
  attacksKeptOfOne: 3,
  attacksKeptOfKind: 8,
  loadsAtOnce: 16,
  /** Of small objects so many are asked for in one call, and so many calls are under way. */
  objectsPerAskMax: 128,
  objectAsksAtOnce: 3,
  /** Beyond so many that are not here yet, children have to come again. */
  objectsWaitingMax: 20_000,
  /** What one answer should bring: at first, at least, at most; */
  objectsFirstAnswerBytes: 128 * KiB,
  objectsLeastAnswerBytes: 16 * KiB,
  objectsAnswerBytes: 1 * MiB,
  /** the lengths in it; */
  objectsFramesBytes: 1 * KiB,
  /** what is reckoned for an object of unknown size. */
  objectBytesUnknown: 4 * KiB,
  /** What came or was read last, and how long it is kept in memory: children ask for the same at about the same time. */
  recentObjectsBytes: 12 * MiB,
  recentObjectsMs: 5_000,
  /** After a quicker answer more is asked for, after a slower one less; and so long others are kept for one that is late. */
  objectsQuickMs: 500,
  objectsSlowMs: 4_000,
  /** Of many small payloads that arrive one after the other it is said together that they are here. */
  arrivalsGatheredMs: 60_000,
  /** Of few it is said sooner: after as much for each that is still to come. */
  arrivalsGatheredLeastMs: 10_000,
  arrivalGatheredMs: 30,
  outputKeptBytes: 16 * KiB,
  outboxMax: 10_000,
  inboxMax: 200_000,
  statusNodesMax: 1_000,
  /** Of a node's newest transfers, how many tell how far they were from their bound: in memory, and in what is shown. */
  distancesKept: 8,
  distancesShown: 20,
  metricsSitesMax: 200,
  /** At the control port, how long metrics are answered as they were. */
  metricsKeptMs: 5_000,

  // Swarm.
  metainfoMaxBytes: 8 * MiB,
  /** A request asks for this much of a piece: larger blocks cost less work each, and the wire takes up to 128 KiB. */
  blockBytes: 64 * KiB,
  /** Bytes asked for ahead of what one wire delivers: at first, and then one second's worth between the other two. */
  pipelineFirstBytes: 512 * KiB,
  pipelineMinBytes: 256 * KiB,
  pipelineMaxBytes: 4 * MiB,
  /** What one wire may keep in memory of answers that its other end does not take. */
  wireBufferedBytes: 128 * KiB,
  /** What the engine keeps in memory of the payloads that it wrote or read last, and how much is read at once. */
  pieceMemoryBytes: 24 * MiB,
  pieceSpanBytes: 1 * MiB,
  wireRequestsMax: 1_024,
  /** Which pieces are here is told at once, and then gathered for so long. */
  newsGatheredMs: 50,
  wireRejectsMax: 64,
  wireMessageMaxBytes: 256 * KiB,
  /** Of all that waits to be sent on one wire. */
  wireQueuedMaxBytes: 512 * KiB,
  wireHandshakeMaxBytes: 4 * KiB,
  wireSiteMaxBytes: 256,
  /** Callers of one holding; whom we dial has room beside them, or a full parent could not take from its own. */
  callersPerHoldingMax: 512,
  wiresMax: 4_096,
  /** Of those so many are never taken by callers. */
  wiresKeptForDials: 256,
  swarmHandshakeMs: 10_000,
  /** Callers of one address in the engine, and those of them of whom nothing is known yet. */
  wiresPerAddressMax: 1_024,
  handshakesPerAddressMax: 256,
  /** So many strangers in a row from one address, and for a while nobody from there has an engine kept for him. */
  strangersInARowMax: 3,
  strangerDoubtedMs: 60_000,
  /** Addresses of which it is known who called last. */
  callersKnownMax: 1_024,
  /** Dials under way in the whole engine. */
  dialsMax: 16,
  /** After so many failures in a row nothing is kept open for a peer, and a sibling is tried seldom. */
  dialsInVainMax: 12,
  siblingRetryCeilingMs: 10 * 60_000,
  /** A caller that names a holding which is not here yet waits this long for it. */
  callerWaitMs: 5_000,
  /** One that nobody here has heard of. */
  unknownCallerWaitMs: 1_000,
  /** Callers of one node that may wait. */
  waitingPerNodeMax: 32,
  engineStartMs: 20_000,
  engineStopMs: 1_500,
  /** From its end to its last report. */
  engineFarewellMs: 1_000,
  engineLinesPerMinuteMax: 20,
  /** A complete holding without wires stays loaded this long. */
  holdingIdleMs: 2_000,
  /** What a killed engine has written is found again by its digest; a power cut costs what is not durable yet. */
  pieceDurableEveryMs: 250,
  countersEveryMs: 500,
  pickAgainEveryMs: 250,
  /** After so long without anybody who has what is missing, this is told. */
  nobodyHasMs: 15_000,
  /** The revision in force and those before it whose payloads are not evicted. */
  revisionsKept: 3,
  diskReserveBytes: 64 * MiB,
  /** How long a rate that was not used up lasts, in seconds: what may then pass at once. */
  burstS: 0.25,
  /** Of a rate, or of foreground's speed, what background gets in any case. */
  backgroundShare: 0.05,
  backgroundMinBytesPerSecond: 16 * KiB,
  /** Where no rate is set, background has the way to itself when foreground has rested for so long. */
  foregroundQuietMs: 1_000,
  meterLookMs: 1_000,
  /** Who is at the own site has so long to give what would otherwise come over a link. */
  nearPatienceMs: 5_000,
  /** A wire that has been at work for less time is not yet judged by its speed. */
  slowAfterMs: 1_000,
  /** Who was asked and says nothing at all for so long is hung up on, and a sibling is let be for a while. */
  wireSilentMs: 20_000,
  silentRestMs: 60_000,
  /** Who keeps others waiting for its answers says so often that it is still there. */
  stillHereMs: 5_000,
  /** Who gave a wrong piece of a payload is kept out of its swarm for so long, and twice as long each further time. */
  banFirstMs: 5 * 60_000,
  banCeilingMs: 6 * 3600_000,
  /** Of each swarm. */
  bannedKnownMax: 1_024,
  strangersToldMax: 64,
  strangerToldEveryMs: 60_000,
  failedRetryCeilingMs: 60 * 60_000,

  // Ordinary clients.
  plainWiresMax: 64,
  plainWiresPerAddressMax: 16,
  /** Of those who wait for an engine, beside the fleet's own callers; in all and of one address. */
  plainPendingMax: 64,
  plainPendingPerAddressMax: 16,
  /** One that asks for nothing for so long is hung up on. */
  plainIdleMs: 2 * 60_000,
  plainAnnounceIntervalMs: 2 * 60_000,
  plainAnnounceLeastMs: 30_000,
  plainAnnouncesUnderwayMax: 256,
  plainAnnouncesOfAddressMax: 64,
  plainQueryMaxChars: 2_048,
  /** Remembered by their announces, over all payloads. */
  plainClientsMax: 2_000,
  /** Of those, of one IPv4 address or /64. */
  plainClientsOfAddressMax: 200,
  plainPeersMax: 50,

  // Trust.
  timestampLifetimeMs: 24 * 3600_000,
  timestampRenewAfterMs: 6 * 3600_000,
  snapshotLifetimeMs: 365 * 24 * 3600_000,
  targetsLifetimeMs: 365 * 24 * 3600_000,
  rootLifetimeMs: 10 * 365 * 24 * 3600_000,
  certificateLifetimeMs: 60 * 24 * 3600_000,
  certificateBackdateMs: 5 * 60_000,
  tokenLifetimeMs: 3600_000,
  tokenUsesMax: 100_000,
  rootRotationsMax: 256,
  metadataVersionsKept: 4,
  /** Certificates that need not be read again: those of the children that call, in about half a megabyte. */
  identitiesKeptMax: 1_024,
  turnsMax: 1_000,
  tokenMaxChars: 8 * KiB,
  tokenParentsMax: 16,
  tokenRememberedMs: 7 * 24 * 3600_000,
  renewalSkewMs: 24 * 3600_000,
  lateEnvelopeMs: 7 * 24 * 3600_000,

  // Policy.
  /** So many nodes are enough to bear one that fails. */
  rolloutOneFailureNodes: 10,
  /** Of the nodes that are heard of, so few may still be at it when a wave counts as through. */
  rolloutUnderwayShare: 0.05,
  /** How often the root looks at rollouts when nobody reports: nodes become silent by themselves. */
  rolloutLookMs: 60_000,
  rolloutDebounceMs: 1_000,
  rolloutFailedShown: 20,
  removalsShareMax: 0.2,
  /** Dependencies that would be missing, which a refused release names. */
  unmetNamedMax: 10,
} as const
