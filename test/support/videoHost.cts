// A video's server of another kind than the sandbox's: it returns what a test wants, and counts what its callers leave open.
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';

import type { Sandbox } from '../sandbox/server.cjs';

function box(name: string, content: Buffer): Buffer {
	const header = Buffer.alloc(8);
	header.writeUInt32BE(header.length + content.length);
	header.write(name, 4, 'latin1');
	return Buffer.concat([header, content]);
}

/** An MP4 as its boxes go, with `size` bytes of picture that nobody can play. */
export function mp4Of(size: number, brand = 'isom'): Buffer {
	const picture = Buffer.alloc(size, 'a picture that moves ');
	return Buffer.concat([
		box('ftyp', Buffer.from(`${brand}\0\0\x02\0isomiso2`, 'latin1')),
		box('moov', Buffer.alloc(400, 1)),
		box('mdat', picture),
	]);
}

/** The beginning of a WebM or Matroska file, and some more bytes. */
export function ebmlOf(kind: 'webm' | 'matroska'): Buffer {
	const header = Buffer.from('1a45dfa39f4286810142f7810142f2810442f381084282', 'hex');
	const name = Buffer.concat([Buffer.from([0x80 | kind.length]), Buffer.from(kind)]);
	return Buffer.concat([header, name, Buffer.alloc(1000, 0xec)]);
}

export interface VideoHost {
	/** Where its videos are. Any path does. */
	readonly url: string;
	readonly requests: ReadonlyArray<{ path: string; headers: IncomingHttpHeaders }>;
	/** Responses that have been begun, and whose connection still waits for their end. */
	readonly open: number;
	respond: RequestListener;
	/** Makes the sandbox's video links lead here. */
	takeOver: (sandbox: Sandbox) => void;
}

/** Registers the hooks that start a host for a test file, and make it new before each test. */
export function videoHost(): VideoHost {
	const requests: Array<{ path: string; headers: IncomingHttpHeaders }> = [];
	let open = 0;
	let url = '';
	const gone: RequestListener = (_request, response) => response.writeHead(404).end();
	const host = { respond: gone };
	const server = createServer((request, response) => {
		requests.push({ path: request.url ?? '', headers: request.headers });
		open += 1;
		response.once('close', () => (open -= 1));
		host.respond(request, response);
	});
	beforeAll(async () => {
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		const address = server.address();
		if (address === null || typeof address === 'string') throw new Error('The host has no port');
		url = `http://127.0.0.1:${address.port}/video.mp4`;
	});
	beforeEach(() => {
		server.closeAllConnections();
		requests.length = 0;
		host.respond = gone;
	});
	afterAll(async () => {
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	});
	return Object.defineProperties(Object.assign(Object.create(null), { requests }), {
		url: { get: () => url },
		open: { get: () => open },
		respond: {
			get: () => host.respond,
			set: (listener: RequestListener) => (host.respond = listener),
		},
		takeOver: {
			value: ({ faults }: Sandbox) =>
				faults.on('video', { kind: 'redirect', location: url }, { times: 'always' }),
		},
	});
}
