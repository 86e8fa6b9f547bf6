/** A credential of the only account, as both processes know it. */
export function refOf(generation: number, signInId: string) {
  return { accountId: 'account', signInId, epoch: 1, generation }
}
