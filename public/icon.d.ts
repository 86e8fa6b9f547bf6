/** The build puts the picture itself into the address. */
declare module '*.svg' {
  const address: string
  export default address
}
