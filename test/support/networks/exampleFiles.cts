/** GitHub, as far as it gives out this package's examples under the addresses that the documents name. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { unknownCall, type Call, type Network, type Reply } from './network.cjs';

const FOLDER = join(__dirname, '..', '..', '..', 'examples');
const PATH = /^\/n8n-nodes-seedance\/n8n-nodes-seedance\/HEAD\/examples\/[^/]+\.json$/;

export class ExampleFiles implements Network {
	serves(host: string): boolean {
		return host === 'raw.githubusercontent.com';
	}

	reset(): void {}

	handle(call: Call): Reply {
		const file = join(FOLDER, basename(call.path));
		if (call.method !== 'GET' || !PATH.test(call.path) || !existsSync(file)) {
			return unknownCall(call);
		}
		// As GitHub sends every text.
		const headers = { 'content-type': 'text/plain; charset=utf-8' };
		return { status: 200, headers, body: readFileSync(file) };
	}
}
