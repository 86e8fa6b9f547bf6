/** A credential of the only account, known to both processes. */
export function refOf(generation: number, signInId: string) {
  return { accountId: 'account', signInId, epoch: 1, generation }
}
