// Base URLs at which no request can be made: what is sent there never leaves the caller, so it costs nothing.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

import { keysOf } from './contract.cjs';

/** By the way in which a request never leaves: its base URL. */
export const urlsAt = (ports: { http: number; silent: number; closing: number }) => ({
	/** The handshake fails, although the port speaks plain HTTP. */
	'https-to-http': `https://127.0.0.1:${ports.http}/v1`,
	/** Nothing listens at the discard port of a machine of today. */
	refused: 'http://127.0.0.1:9/v1',
	/** TCP is accepted, and the TLS hello never gets a response. */
	'silent-tls': `https://127.0.0.1:${ports.silent}/v1`,
	/** TCP is accepted, and the connection ends at the TLS hello. */
	'closing-tls': `https://127.0.0.1:${ports.closing}/v1`,
	'unknown-host': 'https://no-such-host.invalid/v1',
	/** A port that no URL can have. */
	'bad-port': 'http://127.0.0.1:99999/v1',
	'no-url': 'https//seedanceapi.org/v1',
});
export type UnreachableKind = keyof ReturnType<typeof urlsAt>;
export const UNREACHABLE_KINDS = keysOf(urlsAt({ http: 0, silent: 0, closing: 0 }));

/** A listener on a free port that does this with each connection when its first bytes come. */
async function listen(onHello: (socket: Socket) => void) {
	const sockets = new Set<Socket>();
	const server = createServer((socket) => {
		sockets.add(socket);
		socket.once('close', () => sockets.delete(socket));
		socket.on('error', () => undefined).on('data', () => onHello(socket));
	});
	await once(server.listen(0, '127.0.0.1'), 'listening');
	return {
		port: portOf(server.address()),
		close: async () => {
			for (const socket of sockets) socket.destroy();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

export function portOf(address: string | { port: number } | null): number {
	if (address === null || typeof address === 'string') throw new Error('A server has no port');
	return address.port;
}

/** Starts the two listeners; gives a base URL of each kind. `http` is the port where the sandbox speaks plain http. */
export async function openUnreachable(http: number) {
	const silent = await listen(() => undefined);
	const closing = await listen((socket) => socket.destroy());
	return {
		urls: urlsAt({ http, silent: silent.port, closing: closing.port }),
		close: async () => {
			await Promise.all([silent.close(), closing.close()]);
		},
	};
}
