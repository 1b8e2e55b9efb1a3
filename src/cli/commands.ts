/** Names of the commands of `viv`, as `npm start` needs to tell them from arguments of `viv run`. */
export const commandNames: readonly string[] = ["run", "jail", "tree", "web", "lockstep"];
