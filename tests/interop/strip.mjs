// TypeScript on stdin without its types, as newer versions of node read it by themselves.
import { readFileSync } from "node:fs";
import { transformSync } from "amaro";

process.stdout.write(transformSync(readFileSync(0, "utf8"), { mode: "strip-only" }).code);
