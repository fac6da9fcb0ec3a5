/** Which failed tasks may be restarted by themselves. */
import { isRestartable } from '../../nodes/shared/task/restartable';
import { readTask } from '../../nodes/shared/task/task';

const mayRestart = (data: object): boolean => {
	const task = readTask('seed1', { task_id: 'seed1', status: 'FAILED', ...data }, 'sk');
	if (!task) throw new Error('No task');
	return isRestartable(task);
};

it.each([
	'Internal error',
	'internal server error (500)',
	'Task timed out',
	'Generation timeout, please try again',
	'The server is busy',
	'Model is currently overloaded',
	'Service temporarily unavailable',
])('"%s" is the vendor\'s own trouble', (error_message) => {
	expect(mayRestart({ consumed_credits: 0, error_message })).toBe(true);
});

it.each([
	'The content was not accepted',
	'Blocked by content moderation: internal error 17',
	'Timeout while the image was fetched',
	'Prompt rejected: busy scene',
	'Output violates our safety policy',
	'Something went wrong',
	'A businessman',
	'',
])('"%s" is left to a person', (error_message) => {
	expect(mayRestart({ consumed_credits: 0, error_message })).toBe(false);
});

it.each([
	{ consumed_credits: 28 },
	{ consumed_credits: null },
	{},
	{ consumed_credits: 0, status: 'SUCCESS' },
])('only what has failed and cost exactly nothing: %j', (data) =>
	expect(mayRestart({ error_message: 'Internal error', ...data })).toBe(false),
);
