export { VivError } from "./core/errors.ts";
export { closureOf, type HostClosureRequest } from "./host/node/imprison/closure.ts";
export { version } from "./host/node/package.ts";
export {
  type Closure,
  type ClosureFile,
  closureData,
  closureTree,
  explainFile,
  formatSize,
  type Problem,
  type Reason,
  sizeOf,
} from "./image/closure/index.ts";
