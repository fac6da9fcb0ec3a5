// Loaded before our TypeScript programs. An import of `Seedance.node` means Seedance.node.ts: Node would take the .json
// of the same name.
require('tsx/cjs');
const { _extensions: extensions } = require('node:module');

const json = extensions['.json'];
delete extensions['.json'];
extensions['.json'] = json;
