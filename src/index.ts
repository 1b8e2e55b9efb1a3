export { VivError } from "./core/errors.ts";
