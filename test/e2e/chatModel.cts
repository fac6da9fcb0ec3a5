/**
 * A stand-in for a chat model: a server on loopback that speaks OpenAI's API, responds with what a test has scripted,
 * and keeps what n8n has sent it.
 */
import fastify from 'fastify';

import { HOST } from '../support/serverProcess.cjs';

/** One request for a response: the conversation so far, and the tools that the model may call. */
interface ModelRequest {
	messages: Array<{ role: string; content: string | Array<{ text: string }> }>;
	tools: Array<{
		function: {
			name: string;
			description: string;
			parameters: { properties: Record<string, { description?: string }>; required?: string[] };
		};
	}>;
}

/** What the model says: text that ends its turn, or calls of tools with their arguments. */
export type ModelReply = string | Array<{ tool: string; args: Record<string, unknown> }>;

export type ChatModel = Awaited<ReturnType<typeof startChatModel>>;

/** What the tools have answered, as the model reads it in its latest request. */
export const toolOutputs = ({ messages }: ModelRequest): string[] =>
	messages
		.filter(({ role }) => role === 'tool')
		.map(({ content }) =>
			typeof content === 'string' ? content : content.map(({ text }) => text).join(''),
		);

export async function startChatModel() {
	/** Its replies, in order; a test fills it, each request takes one out. */
	const script: ModelReply[] = [];
	const requests: ModelRequest[] = [];
	const server = fastify({ forceCloseConnections: true });
	server.post<{ Body: ModelRequest }>('/v1/chat/completions', async ({ body }, reply) => {
		requests.push(body);
		const response = script.shift();
		// n8n does not send it again then.
		if (response === undefined) return await reply.code(400).send({ error: 'No more is written' });
		return completionOf(response, requests.length);
	});
	const origin = await server.listen({ host: HOST, port: 0 });
	return { baseUrl: `${origin}/v1`, script, requests, close: async () => await server.close() };
}

function completionOf(response: ModelReply, index: number): object {
	const isText = typeof response === 'string';
	const tool_calls = (isText ? [] : response).map(({ tool, args }, call) => ({
		id: `call_${index}_${call}`,
		type: 'function',
		function: { name: tool, arguments: JSON.stringify(args) },
	}));
	const content = isText ? { content: response } : { content: null, tool_calls };
	return {
		id: `chatcmpl-${index}`,
		object: 'chat.completion',
		created: 0,
		model: 'stand-in',
		choices: [
			{
				index: 0,
				message: { role: 'assistant', ...content },
				finish_reason: isText ? 'stop' : 'tool_calls',
			},
		],
		usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
	};
}
