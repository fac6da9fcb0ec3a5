// Base URLs at which no request can be made: what is sent there never leaves the caller, so it costs nothing.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The ways in which a request never leaves. */
export const UNREACHABLE_KINDS = [
	/** `https://` where plain http answers: the handshake fails. */
	'https-to-http',
	/** Nothing listens at the port. */
	'refused',
	/** TCP is accepted, and the TLS hello is never answered. */
	'silent-tls',
	/** TCP is accepted, and the connection ends at the TLS hello. */
	'closing-tls',
	/** No such host. */
	'unknown-host',
	/** A port that no URL can have. */
	'bad-port',
	/** No URL at all. */
	'no-url',
] as const;
export type UnreachableKind = (typeof UNREACHABLE_KINDS)[number];

/** Nothing listens at the discard port of a machine of today. */
const REFUSING = 'http://127.0.0.1:9/v1';

export interface Unreachable {
	/** A base URL of each kind; it ends in `/v1`. */
	readonly urls: Readonly<Record<UnreachableKind, string>>;
	/** How many connections the two listeners have taken. */
	readonly connections: () => number;
	readonly close: () => Promise<void>;
}

/** Starts the two listeners. `port` is where the sandbox speaks plain http. */
export async function openUnreachable(host: string, port: number): Promise<Unreachable> {
	const sockets = new Set<Socket>();
	let connections = 0;
	const listener = (onHello: (socket: Socket) => void) =>
		createServer((socket) => {
			connections += 1;
			sockets.add(socket);
			socket.once('close', () => sockets.delete(socket));
			socket.on('error', () => undefined);
			socket.on('data', () => onHello(socket));
		});
	const silent = listener(() => undefined);
	const closing = listener((socket) => socket.destroy());
	await Promise.all([listen(silent, host), listen(closing, host)]);
	return {
		urls: {
			'https-to-http': `https://${host}:${port}/v1`,
			refused: REFUSING,
			'silent-tls': `https://${host}:${portOf(silent)}/v1`,
			'closing-tls': `https://${host}:${portOf(closing)}/v1`,
			'unknown-host': 'https://no-such-host.invalid/v1',
			'bad-port': `http://${host}:99999/v1`,
			'no-url': 'https//seedanceapi.org/v1',
		},
		connections: () => connections,
		close: async () => {
			for (const socket of sockets) socket.destroy();
			await Promise.all([silent, closing].map(closed));
		},
	};
}

async function listen(server: Server, host: string): Promise<void> {
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen(0, host, resolve);
	});
}

async function closed(server: Server): Promise<void> {
	await new Promise<void>((resolve) => server.close(() => resolve()));
}

function portOf(server: Server): number {
	const address: AddressInfo | string | null = server.address();
	if (address === null || typeof address === 'string') throw new Error('A listener has no port');
	return address.port;
}
