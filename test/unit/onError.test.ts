/** What a failed item looks like for the error output, to n8n of every age. */
import { invalidInput } from '../../nodes/shared/task/errors';
import { errorOutputItem } from '../../nodes/shared/n8n/onError';

describe('an item for the error output', () => {
	const item = errorOutputItem(invalidInput(['Duration is wrong.']), { task_id: null }, 3);

	it('has the shape that n8n 2.41 routes there, and leads back to its row', () => {
		expect(Object.keys(item.json)).toEqual(['error', 'details']);
		expect(item.json.details).toEqual({ task_id: null });
		expect(item.pairedItem).toEqual({ item: 3 });
	});

	it('has an error of its own, by which older ones route it', () => {
		expect(item.error?.message).toBe(item.json.error);
	});

	it('does not hand that error on, for which n8n would take the details away', () => {
		expect({ ...item }).not.toHaveProperty('error');
		expect(JSON.parse(JSON.stringify(item))).not.toHaveProperty('error');
	});
});
