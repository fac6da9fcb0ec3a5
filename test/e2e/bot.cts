/** Scratch. */
import fastify from 'fastify';
import { HOST } from '../support/serverProcess.cjs';

export async function startBot() {
	const server = fastify({ forceCloseConnections: true, bodyLimit: 60_000_000 });
	const calls: any[] = [];
	const bot = { url: '', calls, fail: undefined as any, close: async () => await server.close() };
	server.removeAllContentTypeParsers();
	server.addContentTypeParser('*', { parseAs: 'buffer' }, (_r, body, done) => done(null, body));
	server.all('/*', async (request, reply) => {
		const type = String(request.headers['content-type'] ?? '');
		const raw = request.body as Buffer;
		const method = request.url.split('/').pop();
		let fields: any = {};
		if (type.includes('json')) fields = JSON.parse(raw.toString());
		else if (type.includes('multipart')) {
			const form = await new Response(raw, { headers: { 'content-type': type } }).formData();
			for (const [k, v] of form as any) fields[k] = typeof v === 'string' ? v : { name: v.name, type: v.type, bytes: Buffer.from(await v.arrayBuffer()) };
		}
		calls.push({ method, fields });
		const fault = bot.fail?.(method, fields);
		if (fault) return await reply.code(fault).send({ ok: false, error_code: fault, description: 'Bad' });
		return { ok: true, result: { message_id: calls.length } };
	});
	bot.url = await server.listen({ host: HOST, port: 0 });
	return bot;
}
