/** All checkers, fresh for a run. To add one, write it in a file of its own and name it here. */
import type { Observer } from '../observer.ts'
import type { World } from '../world/world.ts'
import { alarmChecker } from './alarms.ts'
import { callsChecker } from './calls.ts'
import { castsChecker } from './casts.ts'
import { controlChecker } from './control.ts'
import { creationsChecker } from './creations.ts'
import { eventsChecker } from './events.ts'
import { firstHandChecker } from './first-hand.ts'
import { ledgerChecker } from './ledger.ts'
import { linksChecker } from './links.ts'
import { orderChecker } from './order.ts'
import { queuesChecker } from './queues.ts'
import { resendChecker } from './resend.ts'
import { shortFlapChecker } from './short-flap.ts'
import { viewsChecker } from './views.ts'

/** @param world the world that they will watch, once it is there */
export function newCheckers(world: () => World): Observer[] {
  return [
    linksChecker(),
    ledgerChecker(),
    alarmChecker(),
    queuesChecker(),
    orderChecker(),
    castsChecker(),
    callsChecker(),
    controlChecker(world),
    creationsChecker(),
    eventsChecker(),
    firstHandChecker(world),
    resendChecker(),
    shortFlapChecker(world),
    viewsChecker(),
  ]
}
