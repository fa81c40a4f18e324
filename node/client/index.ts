/** `wandist/client`: the phone's side of the phone protocol. See README.md. */
export type { IncomingMessage, PhoneLimits, PhoneListeners, PhoneOptions, Receipt } from './options.ts'
export { defaultPhoneLimits } from './options.ts'
export { Phone, type PhoneCounts } from './phone.ts'
export { PhoneError, type PhoneFailure } from './phone-error.ts'
export type { Acknowledgement } from './unacknowledged.ts'
export type { PhoneState } from './uplink.ts'
