export { selectAccounts } from "./accounts.ts";
export { computeClosure } from "./closure.ts";
export { DebianPackages } from "./debian.ts";
export { isElf } from "./elf.ts";
export { baseName, type FileStatus, type FileSystem, joinPath, parentOf, readText } from "./filesystem.ts";
export { glob } from "./glob.ts";
export { closureData, closureTree, explainFile, formatSize, sizeOf } from "./report.ts";
export { Resolver } from "./resolve.ts";
export {
  type Closure,
  type ClosureFile,
  type ClosureRequest,
  defaultSearchPath,
  type Problem,
  type Reason,
} from "./types.ts";
