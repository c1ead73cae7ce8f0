// Content-addressed objects on their way from parent to child.

import { KiB, MiB, minute, second } from './multiples.ts'

export const objectLimits = {
  /**
   * Objects in one call. Their digests have to fit into the path of a request (64 characters each).
   */
  objectsPerAskMax: 128,
  /**
   * How often an object that is on its way to the parent is asked for in one call; each answer takes
   * the parent about half a minute.
   */
  onTheWayRoundsMax: 64,
  /**
   * Calls for objects under way at once. Two keep a link busy while a third waits for the parent's
   * disk.
   */
  objectAsksAtOnce: 3,
  /**
   * Objects under way for this node and its children together. Beyond this, children have to ask
   * again later.
   */
  objectsWaitingMax: 20_000,
  /**
   * Manifests that are loaded at once. Enough to fill one call; all at once would be thousands of
   * promises.
   */
  loadsAtOnce: 16,
  /** The size of answer that a node asks for first, before it knows how fast its parent answers. */
  objectsFirstAnswerBytes: 128 * KiB,
  /** The least size of answer that it asks for. Smaller answers would be mostly waiting. */
  objectsLeastAnswerBytes: 16 * KiB,
  /** The largest size of answer that it asks for, apart from a single larger object. */
  objectsAnswerBytes: 1 * MiB,
  /**
   * What the lengths between the objects of one answer take: four bytes each, and some to spare.
   */
  objectsFramesBytes: 1 * KiB,
  /** The size that is reckoned for an object of unknown size. Most manifests are smaller. */
  objectBytesUnknown: 4 * KiB,
  /** After an answer that came faster than this, the node asks for twice as much. */
  objectsQuickMs: 500,
  /**
   * After an answer that took longer than this, the node asks for half as much. A parent that
   * collects objects for one answer waits this long for a late one.
   */
  objectsSlowMs: 4 * second,
  /**
   * Objects kept in memory after they arrived or were read. All children ask for the same at about
   * the same time.
   */
  recentObjectsBytes: 12 * MiB,
  /** A sibling that did not answer for objects is not asked again for this time. */
  nearObjectsRestMs: 10 * minute,
  /**
   * A sibling that says for this time that the object is on its way is left if the parent says that it
   * gives that sibling nothing. The sibling may hear of a revision a little later than the others.
   */
  nearDoubtMs: 45 * second,
  /**
   * It is left after this time if the parent says nothing: in six minutes a link that 20 nodes share at
   * 32 kbit/s brings the largest small payload.
   */
  nearSilentMs: 6 * minute,
  /** And after this time whatever the parent says. A sibling can fetch, and give nothing. */
  nearLongestMs: 15 * minute,
  /** A connection to a sibling for objects has to stand within this time. It is near, and may be busy. */
  nearConnectMs: 4 * second,
  /**
   * A node that has failed to reach so many siblings one after the other, and none in between, may be
   * cut off from all of them: it asks its parent until they have rested.
   */
  nearUnreachedMax: 6,
  /** A sibling's answer has to bring `httpFreeAnswerBytes` in this time: it is near. */
  nearPaceMs: 30 * second,
  /** So slowly an answer may arrive over the thinnest link: 32 kbit/s, half of it for other things. */
  givenLeastBytesPerSecond: 2 * KiB,
  /**
   * A sibling that says that it asks another one itself is asked again after this time, if the tracker
   * has named nobody else meanwhile. Two may learn of a change at different moments.
   */
  nearLearnsMs: 5 * second,
  /** How often in one call. An announce takes long on a thin link that objects fill. */
  nearElsewhereMax: 6,
  /** How often the sibling may change within one call, before the parent is asked. */
  nearChangesMax: 8,
  /** Siblings whose failures are remembered, of all sites of one parent. */
  objectGatewaysRestingMax: 1024,
  /** Children that complain of one sibling and are remembered. */
  objectComplaintsMax: 64,
  /** So many have to say it before others are sent to another sibling too. One may lie, or be cut off. */
  objectVoicesAimed: 2,
  /** Siblings of one site that bring objects at a time. More than one where some fail others. */
  objectGatewaysOfSiteMax: 16,
  /** Objects that a root which lost them asks one child for at a time. Their digests take 2 KiB. */
  lostAskedMax: 32,
  /** A child that was asked for a lost object, and says nothing, has this long before the next one. */
  lostAskAgainMs: 10 * second,
  /** So many children are asked at a time. All of them at once would be thousands of requests. */
  lostChildrenAskedMax: 16,
  /** Whoever waits for a lost object gives up once no other child could be asked for this time. */
  lostWaitMs: 1 * minute,
  /** And in any case after this time: 1,000 children are asked in it. */
  lostWholeMs: 10 * minute,
  /** Builds that a recovered root takes back at a time. Each opens a file or two. */
  lostBuildsAtOnce: 128,
  /** How often a child asks its root in a row for what else is lost. */
  lostRoundsMax: 256,
  /** How long they are kept. The children of one parent hear of a revision within a second. */
  recentObjectsMs: 5 * second,
  /**
   * The longest that the arrival of a small payload waits for further ones. Each signal has the
   * whole machine inspected, so thousands of payloads must not give thousands of signals.
   */
  arrivalsGatheredMs: 1 * minute,
  /** The shortest such wait while others are under way. */
  arrivalsGatheredLeastMs: 10 * second,
  /** The wait for each payload that is still under way, between those two. */
  arrivalGatheredMs: 30,
}
